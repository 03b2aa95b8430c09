"""Validate YAML files against a JSON Schema: validate.py SCHEMA FILE...

Exits with 1 and says where when the schema is none (draft-07) or a file does not fit. With --refuse the files must not fit.
"""
import json
import sys

import jsonschema
import yaml


def main():
    arguments = sys.argv[1:]
    refuse = arguments[0] == "--refuse"
    schema_file, *files = arguments[1:] if refuse else arguments
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    bad = 0
    for name in files:
        with open(name, encoding="utf-8") as file:
            errors = list(validator.iter_errors(yaml.safe_load(file)))
        for error in errors if not refuse else []:
            print(f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:400]}")
        if refuse and not errors:
            print(f"{name}: fits, but should not")
        bad += bool(errors) != refuse
    return 1 if bad else 0


sys.exit(main())
