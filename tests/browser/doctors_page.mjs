// What tests of the doctor's page share: the clinic, a browser, and what must hold of each page.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Clinic } from "./clinic.mjs";

const modules = process.env.NODE_MODULES;
const require = createRequire(pathToFileURL(join(modules, "x.js")));
const { chromium } = require("playwright-core");
const axe = await readFile(join(modules, "axe-core", "axe.min.js"), "utf8");

export const PASSWORD = "correct horse battery";
export const SIZES = { phone: { width: 390, height: 844 }, laptop: { width: 1366, height: 768 } };
export const clinic = await Clinic.open();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

let failed = 0;
export async function test(name, run) {
  const began = Date.now();
  try {
    await run();
    console.log(`ok      ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}

/**
 * A window whose console must stay empty. Chromium writes each answer of 400 and above there: what is
 * refused on purpose is named in `refused`.
 */
export async function open(size, language, { scheme = "light", scripts = true, refused = [] } = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size],
    locale: language,
    colorScheme: scheme,
    reducedMotion: "reduce",
    javaScriptEnabled: scripts,
  });
  const page = await context.newPage();
  page.errors = [];
  page.on("console", (line) => {
    const expected = refused.some((status) => line.text().includes(`status of ${status} `));
    if (["error", "warning"].includes(line.type()) && !expected) page.errors.push(line.text());
  });
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(clinic.page) && !request.url().startsWith("data:")) {
      page.errors.push(`asks elsewhere: ${request.url()}`);
    }
  });
  return page;
}

export async function signIn(page, name) {
  await page.goto(`${clinic.page}/`);
  await page.fill("#name", name);
  await page.fill("#password", PASSWORD);
  await page.click("button[type=submit]");
  await page.waitForURL(/\/today/);
}

/** No serious fault of accessibility, nothing wider than the window. */
export async function judge(page, what) {
  // Handed in by the debugger, not by the page: the page's policy lets no foreign script run.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const asked = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })
      .then((it) => JSON.stringify(it.violations.map((v) =>
        ({ id: v.id, impact: v.impact, nodes: v.nodes.map((n) => n.html + " " + n.failureSummary) }))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  assert.equal(asked.exceptionDetails, undefined, `axe: ${JSON.stringify(asked.exceptionDetails)}`);
  const faults = JSON.parse(asked.result.value);
  const serious = faults.filter((it) => ["serious", "critical", "moderate"].includes(it.impact));
  assert.deepEqual(serious, [], `${what}: ${JSON.stringify(serious, null, 1)}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} px too wide`);
}

export async function picture(page, name) {
  if (process.env.PICTURES) {
    await page.screenshot({ path: join(process.env.PICTURES, `${name}.png`), fullPage: true });
  }
}

/** Of an answer: that its policy lets nothing run that stands in the page. */
export function dressed(answer) {
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
}

/** Runs all of it, ends the clinic and the browser, and says what came of it. */
export async function tests(all) {
  try {
    await all();
  } catch (error) {
    failed += 1;
    console.log(`FAILED  the beginning\n${error.stack}`);
  } finally {
    await browser.close();
    await clinic.close();
  }
  console.log(failed === 0 ? "all of it passed" : `${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
