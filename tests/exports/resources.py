"""Compares `dosed export fhir` with `dosed export journal`, resource by resource.

    python3 tests/exports/resources.py JOURNAL FHIR

It follows docs/fhir.md and shares no code with dosed. Prints what differs and ends with 1, or a
line with what was compared and 0.
"""

import json
import sys
from collections import Counter
from datetime import datetime, timezone

STATES = {"taken": "completed", "skipped": "not-done", "missed": "unknown", "expired": "unknown"}
CODES = {
    "bp": "85354-9", "sugar": "15074-8", "temperature": "8310-5", "weight": "29463-7",
    "pulse": "8867-4",
}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Patient:
    def __init__(self):
        self.doses, self.as_needed, self.answers = {}, Counter(), {}
        self.messages, self.words = {}, Counter()

    def note(self, entry):
        kind = entry["entry"]
        if kind == "dose_closed":
            self.doses[(entry["id"], instant(entry["due"]))] = entry
        elif kind == "doses_expired":
            for due in entry["due"]:
                self.doses[(entry["id"], instant(due))] = {"state": "expired", **entry}
        elif kind == "dose_reopened":
            for it in entry["about"]:
                self.doses.pop((it["id"], instant(it["due"])), None)
        elif kind == "taken_as_needed":
            self.as_needed[(entry["id"], instant(entry["taken_at"]))] += 1
        elif kind == "check_in_answered":
            self.answers[(entry["id"], instant(entry["due"]))] = entry
        elif kind == "wrote":
            self.words[(instant(entry["at"]), entry["text"].strip() or "(empty)")] += 1
        elif kind in ("accepted", "in_doubt", "not_accepted", "not_delivered"):
            status = {"accepted": "completed", "in_doubt": "unknown"}.get(kind, "not-done")
            about = self.messages.get(entry["message"], (None, None))[1]
            if kind != "not_delivered":
                about = Counter((it["id"], instant(it["due"])) for it in entry["about"])
            self.messages[entry["message"]] = (status, about)

    def administrations(self):
        """Identifier to status and time; what was taken as needed has none."""
        found = {}
        for (name, due), dose in self.doses.items():
            answer = dose.get("answer")
            if dose["state"] == "cancelled":
                continue
            status, at = STATES[dose["state"]], due
            if dose["state"] == "missed" and answer:
                status = "not-done"
            if dose["state"] == "taken":
                at = instant(answer["taken_at"] or answer["said_at"])
            found[(name, due)] = (status, at)
        return found


def identified(resource, system):
    """The name and instant in an identifier of a dose or question."""
    values = [it["value"] for it in resource.get("identifier", []) if it["system"] == system]
    if not values:
        return None
    _, name, due = values[0].split("/")
    return name, instant(due)


def value_of(resource):
    if "component" in resource:
        parts = {it["code"]["coding"][0]["code"]: it["valueQuantity"]["value"] for it in resource["component"]}
        return {"upper": parts["8480-6"], "lower": parts["8462-4"]}
    if "valueQuantity" in resource:
        return resource["valueQuantity"]["value"]
    return resource.get("valueBoolean", resource.get("valueString"))


def main():
    patients, differences, compared = {}, [], 0
    lines = [it for it in read(sys.argv[1]) if it["entry"] not in ("patient", "dose_open")]
    for entry in sorted(lines, key=lambda it: it["row"]):
        patients.setdefault(entry["patient"], Patient()).note(entry)
    found = {}
    for resource in read(sys.argv[2]):
        owner = resource.get("subject", {"reference": f"Patient/{resource['id']}"})["reference"]
        found.setdefault(owner.removeprefix("Patient/"), []).append(resource)
    for name, patient in patients.items():
        resources = found.get(name.replace("_", "."), [])
        of = lambda kind: [it for it in resources if it["resourceType"] == kind]
        doses, as_needed = {}, Counter()
        for it in of("MedicationAdministration"):
            key, at = identified(it, "urn:dosed:dose"), instant(it["effectiveDateTime"])
            if key:
                doses[key] = (it["status"], at)
            else:
                as_needed[(it["medicationCodeableConcept"]["text"], at)] += 1
        answers = {identified(it, "urn:dosed:check-in"): it for it in of("Observation")}
        words, messages = Counter(), {}
        for it in of("Communication"):
            if "sender" in it:
                words[(instant(it["received"]), it["payload"][0]["contentString"].strip())] += 1
            else:
                about = Counter()
                for ref in it.get("about", []):
                    _, what, due = ref["identifier"]["value"].split("/")
                    kind = "check-in" if what.startswith("q-") else "dose"
                    if ref["identifier"]["system"] != f"urn:dosed:{kind}":
                        differences.append(f"{name}: {ref}")
                    about[(what, instant(due))] += 1
                messages[it["identifier"][0]["value"]] = (it["status"], about)
        wanted = patient.administrations()
        for what, one, other in [
            ("doses", doses, wanted),
            ("as needed", as_needed, patient.as_needed),
            ("words", words, patient.words),
            ("messages", messages, {k: (s, a or Counter()) for k, (s, a) in patient.messages.items()}),
            ("answers", set(answers), set(patient.answers)),
        ]:
            compared += len(other)
            if one != other:
                left = [it for it in one if it not in other or (what == "doses" and one[it] != other[it])]
                right = [it for it in other if it not in one]
                differences.append(f"{name}: {what}: {left[:2]} {right[:2]}")
        for key, entry in patient.answers.items():
            if key not in answers:
                continue
            it = answers[key]
            value = entry["value"]
            if value_of(it) != (value or "(empty)" if isinstance(value, str) else value):
                differences.append(f"{name}: {key}: {value_of(it)} for {value}")
            if ("interpretation" in it) != entry["alert"]:
                differences.append(f"{name}: {key}: the alert")
            code = it["code"].get("coding", [{}])[0].get("code")
            if code != CODES.get(key[0].removeprefix("q-")):
                differences.append(f"{name}: {key}: the code {code}")
    for difference in differences[:40]:
        print(difference)
    print(f"{len(patients)} patients, {compared} resources compared: {len(differences)} differ")
    return 1 if differences or compared < 1_000 else 0


sys.exit(main())
