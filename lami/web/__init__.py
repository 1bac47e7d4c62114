"""API, page and webhook over HTTP: one Flask app, the same under Azure Functions and `lami serve`."""
