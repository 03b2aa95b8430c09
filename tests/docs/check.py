"""Holds the docs to the program: check.py WEIR ROOT. Prints what is wrong and exits with 1.

- every whole config in a ```yaml block passes `weir check`; what is marked ```yaml fragment is checked together with a source
- every ```yaml scenario block passes `weir test`, beside the file orders.yaml that the README shows
- the reference in docs/configuration.md is what `weir schema` says
- docs/metrics.md names the metrics that the sources make, no more and no less
- every verb and make target that is shown is there, and so is every file that is linked to or named
"""

import os
import re
import subprocess
import sys
import tempfile

WEIR, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
BASE = "service: docs\nsource:\n  kafka: {brokers: \"localhost:9092\", group: docs, topics: [docs]}\n"
FOLDERS = ("processor", "stages", "connectors", "config", "admin", "cli", "scenario", "tests", "deploy", "docs", "scripts", ".ci")
# What a page tells the reader to make.
TO_BE_MADE = {"docs/writing-a-stage.md": "mask"}
wrong = []


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def documents():
    names = [name for name in os.listdir(ROOT) if name.endswith(".md")]
    names += [os.path.join("docs", name) for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md")]
    return sorted(names)


def blocks(text):
    """(first line's number, info string, text) of each fenced block."""
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 2, match[1].strip(), match[2]


def check_config(name, line, text, folder):
    result = subprocess.run([WEIR, "check", "-"], input=text, capture_output=True, text=True, cwd=folder, check=False)
    if result.returncode != 0:
        wrong.append(f"{name}:{line}: weir check says {result.returncode}:\n{result.stderr}")


def check_configs(name, text):
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "customers.csv"), "w", encoding="ascii") as table:
            table.write("customer_id,name,tier\nc-1,Ada,gold\n")
        for line, info, block in blocks(text):
            if info == "yaml" and re.search(r"^source:", block, re.M):
                check_config(name, line, block, folder)
                count += 1
            elif info == "yaml fragment":
                check_config(name, line, BASE + block, folder)
                count += 1
    return count


def check_scenarios(name, text):
    """Beside a customers.csv and the README's config, which is orders.yaml."""
    service = next(block for _, info, block in blocks(read("README.md")) if info == "yaml" and "source:" in block)
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for file, content in (("customers.csv", "customer_id,name,tier\nc-1,Ada,gold\n"), ("orders.yaml", service)):
            with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
                out.write(content)
        for line, info, block in blocks(text):
            if info != "yaml scenario":
                continue
            count += 1
            with open(os.path.join(folder, "test.yaml"), "w", encoding="utf-8") as out:
                out.write(block)
            result = subprocess.run([WEIR, "test", "test.yaml"], capture_output=True, text=True, cwd=folder, check=False)
            if result.returncode != 0:
                wrong.append(f"{name}:{line}: weir test says {result.returncode}:\n{result.stdout}{result.stderr}")
    return count


def check_commands(name, text):
    phony = set(" ".join(re.findall(r"^\.PHONY:(.*)", read("Makefile").replace("\\\n", " "), re.M)).split())
    help_text = subprocess.run([WEIR, "help"], capture_output=True, text=True, check=True).stdout
    shown = [block for _, info, block in blocks(text) if info in ("sh", "")] + re.findall(r"`([^`\n]+)`", text)
    for command in shown:
        for verb in re.findall(r"^(?:build/)?weir ([a-z]+)\b", command, re.M):
            if not re.search(rf"^\s+{verb}\b", help_text, re.M) and f"`weir {verb}" not in planned():
                wrong.append(f"{name}: there is no verb `weir {verb}`")
        for targets in re.findall(r"^(?:sudo )?make ((?:[a-z]+ ?)+)(?![a-zA-Z=])", command, re.M):
            for target in targets.split():
                if target not in phony:
                    wrong.append(f"{name}: there is no target `make {target}`")


def planned():
    """What docs/choosing.md says is not there yet."""
    return read("docs/choosing.md").partition("## Not there yet")[2]


def check_files(name, text):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    for link in links:
        if "://" not in link and not os.path.exists(os.path.join(ROOT, os.path.dirname(name), link)):
            wrong.append(f"{name}: the link to {link} leads nowhere")
    for path in re.findall(r"`((?:%s)/[\w./*-]*)`" % "|".join(map(re.escape, FOLDERS)), text):
        to_be_made = name in TO_BE_MADE and TO_BE_MADE[name] in path
        if not to_be_made and not os.path.exists(os.path.join(ROOT, path)):
            wrong.append(f"{name}: there is no {path}")


def check_reference():
    schema = subprocess.run([WEIR, "schema"], capture_output=True, text=True, check=True).stdout
    command = [sys.executable, os.path.join(ROOT, "scripts/reference.py"), "--check", os.path.join(ROOT, "docs/configuration.md")]
    result = subprocess.run(command, input=schema, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        wrong.append(result.stderr)


def check_metrics():
    made = set()
    for folder in FOLDERS[:7]:
        for where, _, files in os.walk(os.path.join(ROOT, folder)):
            for file in files:
                if file.endswith(".c"):
                    made |= set(re.findall(r'"((?:weir|process)_[a-z_]+)"', read(os.path.join(where, file))))
    named = set(re.findall(r"`((?:weir|process)_[a-z_]+)`", read("docs/metrics.md")))
    for name in sorted(made ^ named):
        wrong.append(f"docs/metrics.md: {name} is {'made and not named' if name in made else 'named and not made'}")
    return len(made)


def main():
    configs = scenarios = 0
    for name in documents():
        text = read(name)
        configs += check_configs(name, text)
        scenarios += check_scenarios(name, text)
        check_commands(name, text)
        check_files(name, text)
    check_reference()
    metrics = check_metrics()
    print("\n".join(wrong) if wrong else f"{configs} configs, {scenarios} scenarios, {metrics} metrics: the docs are right")
    sys.exit(1 if wrong or configs < 3 or scenarios < 3 or metrics < 20 else 0)


main()
