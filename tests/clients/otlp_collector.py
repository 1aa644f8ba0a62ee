"""A collector: reads what it is sent with OpenTelemetry's own messages, strictly, and prints each record as a line of JSON.

otlp_collector.py PORT
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


def values(attributes):
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes
    }


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.path == "/v1/logs" and self.headers["content-type"] == "application/json"
        body = self.rfile.read(int(self.headers["content-length"]))
        request = json_format.Parse(body, ExportLogsServiceRequest(), ignore_unknown_fields=False)
        for resource in request.resource_logs:
            assert values(resource.resource.attributes)["service.name"] == "caisson"
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    assert record.time_unix_nano > 0 and record.severity_number > 0
                    line = {
                        "event": record.event_name,
                        "body": record.body.string_value,
                        "attributes": values(record.attributes),
                    }
                    print(json.dumps(line), flush=True)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Collector).serve_forever()
