"""The detectors, each in a file of its own; `DETECTORS` names all that are plugged in.

`grants` and `posture` are no detectors: they hold what the rules on role assignments, and those on workflow
definitions, have in common.
"""

from lami.core.findings import Detector
from lami.detectors.audience_mismatch import AudienceMismatch
from lami.detectors.broad_grant import BroadGrant
from lami.detectors.condition_weakened import ConditionWeakened
from lami.detectors.dangling_identity import DanglingIdentity
from lami.detectors.identity_churn import IdentityChurn
from lami.detectors.lami_gap import LamiGap
from lami.detectors.missing_grant import MissingGrant
from lami.detectors.orphaned_assignment import OrphanedAssignment
from lami.detectors.role_widened import RoleWidened
from lami.detectors.secret_authentication import SecretAuthentication
from lami.detectors.shared_identity import SharedIdentity
from lami.detectors.ungranted_identity import UngrantedIdentity
from lami.detectors.unsecured_secret import UnsecuredSecret

DETECTORS: tuple[Detector, ...] = (
    IdentityChurn(),
    BroadGrant(),
    ConditionWeakened(),
    OrphanedAssignment(),
    MissingGrant(),
    SecretAuthentication(),
    UnsecuredSecret(),
    DanglingIdentity(),
    AudienceMismatch(),
    UngrantedIdentity(),
    SharedIdentity(),
    RoleWidened(),
    LamiGap(),
)
