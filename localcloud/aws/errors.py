"""Error responses in the form that the clients of each service expect."""

from __future__ import annotations

import json
import uuid
from typing import Final
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

# The protocols of the services' models. A service that the local cloud lacks gets the error of its protocol.
_QUERY: Final = frozenset({"rds", "iam", "sts", "sns", "cloudformation", "autoscaling", "elasticloadbalancing", "sqs"})
_REST_XML: Final = frozenset({"s3", "s3control", "cloudfront", "route53"})


def error_response(service: str, status: int, code: str, message: str) -> Response:
    """Return an error response of `service`."""
    request = str(uuid.uuid4())
    code_xml, message_xml = escape(code), escape(message)
    kind = "Sender" if status < 500 else "Receiver"
    if service == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code_xml}</Code><Message>{message_xml}</Message></Error></Errors>"
            f"<RequestID>{request}</RequestID></Response>"
        )
        return Response(body, status, content_type="text/xml")
    if service in _QUERY:
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code_xml}</Code><Message>{message_xml}</Message></Error>"
            f"<RequestId>{request}</RequestId></ErrorResponse>"
        )
        return Response(body, status, content_type="text/xml")
    if service in _REST_XML:
        body = f"<Error><Code>{code_xml}</Code><Message>{message_xml}</Message><RequestId>{request}</RequestId></Error>"
        return Response(body, status, content_type="application/xml")
    answer = Response(
        json.dumps({"__type": code, "message": message}), status, content_type="application/x-amz-json-1.1"
    )
    answer.headers["x-amzn-RequestId"] = request
    answer.headers["x-amzn-ErrorType"] = code
    return answer
