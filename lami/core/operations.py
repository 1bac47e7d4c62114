"""Operations of Azure that decide what a role can do, by what whoever may call them gets.

In lower case, as patterns are compared. Source: Microsoft Learn, "Azure permissions" by resource provider.
What the lists of secrets leave out is left out on purpose:

- reading (`…/read`): Azure keeps secrets out of it, or Reader would read them all;
- what mints a key for the caller himself, as `generateUserDelegationKey`: it gives no more than he has;
- public keys, wrapping (which every encrypted disk needs), a link to a single log or disk;
- the pre-shared keys of network connections: they open a tunnel and no data.
"""

from __future__ import annotations

from collections.abc import Iterable

from lami.core.patterns import ANYTHING


def _each(owner: str, *operations: str) -> Iterable[str]:
    return (f"{owner}/{operation}" for operation in operations)


GRANTS = (
    "microsoft.authorization/roleassignments/write",
    "microsoft.authorization/roledefinitions/write",
    "microsoft.authorization/elevateaccess/action",
    # A privileged-identity request that assigns at once is a grant as well.
    "microsoft.authorization/roleassignmentschedulerequests/write",
    "microsoft.authorization/roleeligibilityschedulerequests/write",
)
"""Whoever may do one of these decides what others, and he himself, may do."""

_SITES = ("microsoft.web/sites", "microsoft.web/sites/slots")

TAKES_IDENTITY = (
    "microsoft.logic/workflows/write",
    # Whoever changes an app's code, its settings or its publishing credentials runs code as its identity.
    *(
        operation
        for site in _SITES
        for operation in _each(
            site,
            "write",
            "publish/action",
            "publishxml/action",
            "config/write",
            "config/appsettings/write",
            "config/web/appsettings/write",
            "config/list/action",
            "deployworkflowartifacts/action",
            "deployments/write",
            "extensions/write",
            "functions/write",
            "hostruntime/host/action",  # adds functions
            "sourcecontrols/write",
        )
    ),
    "microsoft.managedidentity/userassignedidentities/assign/action",
    f"microsoft.managedidentity/userassignedidentities/{ANYTHING}/assign/action",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write",
)
"""Whoever may do one of these acts as the managed identity of what he does it to.

Whoever runs code on a machine, cluster, runbook or container that carries an identity acts as it as well.
Those are left out: lami watches logic apps, and every contributor to anything would be in this class.
"""

# Assumption: no other operation answers with a secret, but those named like one (`tells_secret`).
READS_SECRETS = (
    *(
        operation
        for site in _SITES
        for operation in _each(
            site,
            "config/list/action",
            "publishxml/action",
            "functions/listkeys/action",
            "functions/listsecrets/action",
            "host/listkeys/action",
        )
    ),
    "microsoft.web/sites/hostruntime/webhooks/api/workflows/triggers/listcallbackurl/action",
    "microsoft.web/connections/listconnectionkeys/action",
    "microsoft.web/staticsites/listsecrets/action",
    "microsoft.logic/workflows/listcallbackurl/action",
    "microsoft.logic/workflows/accesskeys/list/action",
    "microsoft.logic/workflows/triggers/listcallbackurl/action",
    "microsoft.logic/workflows/versions/triggers/listcallbackurl/action",
    "microsoft.logic/integrationaccounts/listcallbackurl/action",
    "microsoft.apimanagement/service/gateways/listkeys/action",
    "microsoft.apimanagement/service/namedvalues/listvalue/action",
    "microsoft.apimanagement/service/subscriptions/listsecrets/action",
    "microsoft.apimanagement/service/workspaces/namedvalues/listvalue/action",
    "microsoft.apimanagement/service/workspaces/subscriptions/listsecrets/action",
    "microsoft.app/connectedenvironments/daprcomponents/listsecrets/action",
    "microsoft.app/containerapps/listsecrets/action",
    "microsoft.app/jobs/listsecrets/action",
    "microsoft.app/managedenvironments/daprcomponents/listsecrets/action",
    "microsoft.app/sessionpools/fetchmcpservercredentials/action",
    "microsoft.appconfiguration/configurationstores/listkeys/action",
    "microsoft.appplatform/spring/listtestkeys/action",
    "microsoft.automation/automationaccounts/listkeys/action",
    "microsoft.azurestack/registrations/getactivationkey/action",
    "microsoft.batch/batchaccounts/listkeys/action",
    "microsoft.botservice/botservices/channels/listchannelwithkeys/action",
    "microsoft.botservice/botservices/connections/listwithsecrets/action",
    "microsoft.cache/redis/listkeys/action",
    "microsoft.cache/redisenterprise/databases/listkeys/action",
    "microsoft.classicstorage/storageaccounts/listkeys/action",
    "microsoft.cognitiveservices/accounts/listkeys/action",
    "microsoft.communication/communicationservices/listkeys/action",
    "microsoft.confluent/organizations/environments/clusters/createapikey/action",
    "microsoft.containerregistry/registries/generatecredentials/action",  # of a token, not of the caller
    "microsoft.containerregistry/registries/listcredentials/action",
    "microsoft.containerservice/aimanagers/listcredential/action",
    "microsoft.containerservice/aimanagers/namespaces/listcredential/action",
    "microsoft.containerservice/fleets/listcredentials/action",
    "microsoft.containerservice/managedclusters/accessprofiles/listcredential/action",
    "microsoft.containerservice/managedclusters/listclusteradmincredential/action",
    "microsoft.containerservice/managedclusters/listclustermonitoringusercredential/action",
    "microsoft.containerservice/managedclusters/listclusterusercredential/action",
    "microsoft.containerservice/managedclusters/managednamespaces/listcredential/action",
    "microsoft.databox/jobs/listcredentials/action",
    "microsoft.databox/jobs/listsecrets/action",
    "microsoft.datadog/monitors/getdefaultapplicationkey/action",
    "microsoft.datadog/monitors/getdefaultkey/action",
    "microsoft.datadog/monitors/listapikeys/action",
    "microsoft.datafactory/factories/integrationruntimes/listauthkeys/action",
    "microsoft.datamigration/sqlmigrationservices/listauthkeys/action",
    "microsoft.desktopvirtualization/hostpools/retrieveregistrationtoken/action",
    "microsoft.devices/iothubs/iothubkeys/listkeys/action",
    "microsoft.devices/iothubs/listkeys/action",
    "microsoft.devices/provisioningservices/listkeys/action",
    "microsoft.documentdb/databaseaccounts/listconnectionstrings/action",
    "microsoft.documentdb/databaseaccounts/listkeys/action",
    "microsoft.documentdb/databaseaccounts/readonlykeys/action",
    "microsoft.elastic/getorganizationapikey/action",
    "microsoft.eventgrid/domains/listkeys/action",
    "microsoft.eventgrid/namespaces/listkeys/action",
    "microsoft.eventgrid/partnernamespaces/listkeys/action",
    "microsoft.eventgrid/topics/listkeys/action",
    "microsoft.eventhub/namespaces/authorizationrules/listkeys/action",
    "microsoft.eventhub/namespaces/eventhubs/authorizationrules/listkeys/action",
    "microsoft.hdinsight/clusters/getgatewaysettings/action",  # answers with the gateway's password
    "microsoft.healthbot/healthbots/listsecrets/action",
    "microsoft.hybridconnectivity/endpoints/listcredentials/action",
    "microsoft.hybridconnectivity/endpoints/listingressgatewaycredentials/action",
    "microsoft.hybridcontainerservice/provisionedclusterinstances/listadminkubeconfig/action",
    "microsoft.hybridcontainerservice/provisionedclusterinstances/listuserkubeconfig/action",
    "microsoft.inferenceservice/inferenceaccounts/listkeys/action",
    "microsoft.kubernetes/connectedclusters/listclusterusercredential/action",
    "microsoft.kubernetes/connectedclusters/listclusterusercredentials/action",
    "microsoft.kubernetesconfiguration/namespaces/listusercredential/action",
    "microsoft.machinelearningservices/workspaces/connections/listsecrets/action",
    "microsoft.machinelearningservices/workspaces/datastores/listsecrets/action",
    "microsoft.machinelearningservices/workspaces/listkeys/action",
    "microsoft.maps/accounts/listkeys/action",
    "microsoft.notebooks/notebookproxies/listcredentials/action",
    "microsoft.notificationhubs/namespaces/authorizationrules/listkeys/action",
    "microsoft.notificationhubs/namespaces/notificationhubs/authorizationrules/listkeys/action",
    "microsoft.operationalinsights/workspaces/listkeys/action",
    "microsoft.operationalinsights/workspaces/sharedkeys/action",
    "microsoft.purview/accounts/listkeys/action",
    "microsoft.relay/namespaces/authorizationrules/listkeys/action",
    "microsoft.relay/namespaces/hybridconnections/authorizationrules/listkeys/action",
    "microsoft.relay/namespaces/wcfrelays/authorizationrules/listkeys/action",
    "microsoft.resourceconnector/appliances/listclusterusercredential/action",
    "microsoft.resourceconnector/appliances/listkeys/action",
    "microsoft.saas/resources/listaccesstoken/action",
    "microsoft.search/searchservices/listadminkeys/action",
    "microsoft.search/searchservices/listquerykeys/action",
    "microsoft.servicebus/namespaces/authorizationrules/listkeys/action",
    "microsoft.servicebus/namespaces/queues/authorizationrules/listkeys/action",
    "microsoft.servicebus/namespaces/topics/authorizationrules/listkeys/action",
    "microsoft.servicelinker/linkers/listconfigurations/action",  # connection strings
    "microsoft.signalrservice/signalr/listkeys/action",
    "microsoft.signalrservice/webpubsub/listkeys/action",
    "microsoft.softwareplan/softwaresubscriptions/listkeys/action",
    "microsoft.storage/storageaccounts/listaccountsas/action",
    "microsoft.storage/storageaccounts/listkeys/action",
    "microsoft.storage/storageaccounts/listservicesas/action",
    "microsoft.synapse/workspaces/integrationruntimes/listauthkeys/action",
)
"""Operations that answer with a secret: those that a wildcard has to be asked for by name.

A pattern that names the operation is known by its words as well (`tells_secret`), whosever it is.
"""

READS_SECRET_DATA = (
    *_each(
        "microsoft.keyvault/vaults",
        "secrets/getsecret/action",
        "secrets/backup/action",
        "certificates/backup/action",  # with the private key
        "keys/backup/action",
        "keys/decrypt/action",
        "keys/release/action",
    ),
    "microsoft.apicenter/services/workspaces/apis/versions/securityrequirements/getcredentials/action",
    # Kubernetes' own secrets.
    "microsoft.containerservice/aimanagers/secrets/read",
    "microsoft.containerservice/fleets/secrets/read",
    "microsoft.containerservice/fleets/members/secrets/read",
    "microsoft.containerservice/managedclusters/secrets/read",
    "microsoft.kubernetes/connectedclusters/secrets/read",
)
"""The same of data actions. The endpoint keys of QnA Maker were data as well; that service is retired."""

_TELLING = ("list", "regenerate", "get")
_SECRETS = ("key", "secret", "credential", "callbackurl", "connectionstring", "password", "kubeconfig")


def tells_secret(operation: str) -> bool:
    """Whether an operation answers with a secret, by the words that Azure names such operations with."""
    *_, name, verb = ("", "", *operation.split("/"))
    if verb != "action" or not name.startswith(_TELLING):
        return False
    # A token is a secret where it is listed; to get one is to mint it for oneself.
    words = _SECRETS if name.startswith("get") else (*_SECRETS, "token")
    return name.endswith("sas") or any(word in name.replace("keyvault", "") for word in words)
