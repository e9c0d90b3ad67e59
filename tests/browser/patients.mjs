// The page of one patient and the editor of their plan as the clinic's people see them: each part in
// both languages on a phone and on a laptop; and what is edited, against the files on disk.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./clinic.mjs";
import {
  PASSWORD, SIZES, clinic, dressed, judge, open, picture, signIn, test, tests,
} from "./doctors_page.mjs";

const WANG = "/patients/wang-xiulan";
const LI = "/patients/li-guifang";
/** Parts of the patient's page, in order: the element, what stands above it. */
const PARTS = {
  now: ["Waits for an answer", "等待回答"],
  plan: ["Plan in force", "有效的计划"],
  calendar: ["Doses of", "用药日历"],
  readings: ["Answers over time", "回答的变化"],
  adherence: ["Adherence", "服药情况"],
  contacts: ["Who is reached", "联系谁"],
  journal: ["Journal", "记录"],
};
/** Pages around it: the path, the beginning of the title. */
const PAGES = {
  patient: [WANG, "王秀兰 (wang-xiulan)", "王秀兰 (wang-xiulan)"],
  "patient-year": [`${WANG}?days=365&month=2025-01`, "王秀兰 (wang-xiulan)", "王秀兰 (wang-xiulan)"],
  "patient-journal": [`${WANG}/journal`, "Journal · wang-xiulan", "记录 · wang-xiulan"],
  "patient-plans": [`${WANG}/plans`, "What the plan was · wang-xiulan", "计划的历史 · wang-xiulan"],
  "plan-edit": [`${WANG}/plan/edit`, "Edit the plan · wang-xiulan", "修改计划 · wang-xiulan"],
  "new-patient": ["/new-patient", "A new patient", "新患者"],
};
/** A question more, that is answered with a number and has no bounds. */
const PAIN = `
# 复诊前每天问一次
[[check_in]]
ask = "现在疼吗？"
answer = "scale 0 to 10"
at = "08:45"
`;

const file = (patient) => join(clinic.files, "plans.d", `${patient}.toml`);
const plan = (patient) => readFile(file(patient), "utf8");
const text = (page) => page.inputValue("#plan-text");
const of = (language, [english, chinese]) => (language === "zh-CN" ? chinese : english);

/** Opens the editor; the window, and the text in it. */
async function edit(path, name, ...how) {
  const page = await open(...how);
  await signIn(page, name);
  dressed(await page.goto(`${clinic.page}${path}/plan/edit`));
  return [page, await text(page)];
}

/** Presses a button that sends a form; the answer. */
async function press(page, name) {
  const answered = page.waitForResponse((it) => it.request().isNavigationRequest());
  await page.getByRole("button", { name, exact: true }).first().click();
  const answer = await answered;
  await page.waitForLoadState("load");
  dressed(answer);
  return answer;
}

/** Nothing in the page that its policy would not let through. */
async function plain(page, what) {
  const inline = await page.evaluate(() =>
    [...document.querySelectorAll("[style], style, script:not([src])")].map((it) => it.outerHTML));
  assert.deepEqual(inline, [], what);
}

/** How large the smallest words of the pictures are, in pixels of the page. */
function smallest(page) {
  return page.evaluate(() => Math.min(...[...document.querySelectorAll("svg.chart text")].map(
    (it) => parseFloat(getComputedStyle(it).fontSize) * it.getScreenCTM().a)));
}

/** How much lines and words of a picture differ from what they stand on; the lowest of each. */
function contrast(page) {
  return page.evaluate(() => {
    const light = (colour) => {
      const [r, g, b] = colour.match(/[0-9.]+/g).map((it) => Number(it) / 255)
        .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    const ratio = (colour) => {
      const [low, high] = [ground, light(colour)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    const least = (selector, of) => Math.min(
      ...[...document.querySelectorAll(selector)].map((it) => ratio(getComputedStyle(it)[of])));
    return {
      words: least("svg.chart text", "fill"),
      lines: least("svg.chart polyline, svg.chart .limit line, svg.chart .alert", "stroke"),
      marks: least("svg.chart circle, svg.chart rect", "fill"),
    };
  });
}

await tests(async () => {
  for (const [name, role] of [["hao", "doctor"], ["lin", "nurse"], ["chen", "viewer"]]) {
    await clinic.dosed(["user", "add", name, "--role", role], `${PASSWORD}\n`);
  }
  // A morning: a plan with a second version, a dose taken, two questions answered, one of them
  // beyond its bounds.
  await writeFile(file("wang-xiulan"), (await plan("wang-xiulan")) + PAIN);
  await clinic.dosed(["reload"]);
  const said = async (words) => (await clinic.dosed(["export", "journal"])).includes(words);
  await clinic.read("o-demo-wang-xiulan", "华法林");
  await clinic.write("o-demo-wang-xiulan", "1");
  await clinic.read("o-demo-wang-xiulan", "今天早上的血压是多少");
  await clinic.write("o-demo-wang-xiulan", "170/95");
  await eventually("a blood pressure in the journal", () => said("170"));
  await clinic.read("o-demo-wang-xiulan", "现在疼吗");
  await clinic.write("o-demo-wang-xiulan", "4");

  for (const [size, language] of [["phone", "zh-CN"], ["laptop", "en-GB"]]) {
    await test(`questions stand beside the doses of today, ${language}, ${size}`, async () => {
      const page = await open(size, language);
      await signIn(page, "chen");
      const rows = page.locator("section", { has: page.locator("#questions") }).locator("tbody tr");
      const first = await rows.first().textContent();
      assert.match(first, /王秀兰[^]*今天早上的血压是多少？[^]*170\/95/);
      assert.match(first, of(language, [/to be looked at/, /需要关注/]));
      assert.match(await page.textContent("#next"), of(language, [/Doses \d+/, /用药 \d+/]));
      await judge(page, `today with questions, ${language} ${size}`);
      await picture(page, `today-questions-${language}-${size}`);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  for (const [scheme, language] of [["light", "en-GB"], ["dark", "zh-CN"]]) {
    for (const size of Object.keys(SIZES)) {
      await test(`a patient's pages, ${language}, ${size}, ${scheme}`, async () => {
        const page = await open(size, language, { scheme });
        await signIn(page, "hao");
        for (const [name, [path, ...titles]] of Object.entries(PAGES)) {
          const answer = await page.goto(clinic.page + path);
          assert.equal(answer.status(), 200, path);
          dressed(answer);
          assert.equal(await page.textContent("h1"), of(language, titles), path);
          assert.equal(await page.getAttribute("html", "lang"), language === "zh-CN" ? "zh-CN" : "en");
          for (const folded of await page.$$("details > summary")) await folded.click();
          await judge(page, `${path} ${language} ${size}`);
          await plain(page, path);
          await picture(page, `${name}-${language}-${size}`);
        }
        // The code to scan: by its button alone.
        await page.goto(clinic.page + WANG);
        assert.equal(await page.locator("svg.code").count(), 0);
        const made = await press(page, of(language, ["Make a code", "生成二维码"]));
        assert.equal(made.status(), 200);
        // It is shown once: what stands beside it is in both languages, and nothing asks for it anew.
        assert.match(await page.textContent("main"), /wang-xiulan/);
        assert.equal(await page.locator("main div[lang=en]", { hasText: "Whoever scans it" }).count(), 1);
        assert.equal(await page.locator("main div[lang=zh-CN]", { hasText: "扫码的人" }).count(), 1);
        assert.equal(await page.locator(".who [hreflang], .who [name=show_again]").count(), 0);
        const named = { name: of(language, ["Code to scan", "用微信扫这个码"]) };
        const code = await page.getByRole("img", named).boundingBox();
        assert.ok(code.width >= 200 && Math.abs(code.width - code.height) < 1, JSON.stringify(code));
        await judge(page, `the code ${language} ${size}`);
        await plain(page, "the code");
        await picture(page, `patient-code-${language}-${size}`);
        assert.deepEqual(page.errors, []);
        await page.context().close();
      });

      await test(`each part of a patient, ${language}, ${size}`, async () => {
        const page = await open(size, language, { scheme });
        await signIn(page, "chen");
        await page.goto(clinic.page + WANG);
        const parts = await page.locator("main > section").evaluateAll((all) => all.map((it) => it.id));
        assert.deepEqual(parts, Object.keys(PARTS));
        for (const [part, titles] of Object.entries(PARTS)) {
          const head = await page.locator(`#${part} h2`).first().textContent();
          assert.ok(head.startsWith(of(language, titles)), `${part}: ${head}`);
        }
        assert.match(await page.textContent("#plan"), /华法林/);
        // The dose of this morning is on its day, with words for who does not see the sign.
        const dose = page.locator("#calendar tbody .dose.taken").first();
        assert.equal((await dose.textContent()).trim(), "✓");
        assert.match(await dose.getAttribute("aria-label"), /^08:10 /);
        const today = await page.locator("#calendar thead [aria-current=date]").count();
        assert.equal(today, 1);
        // A picture where it is numbers, and a table in any case.
        const pictures = page.locator("#readings svg.chart");
        assert.equal(await pictures.count(), 2);
        for (const name of ["今天早上的血压是多少？", "现在疼吗？"]) {
          for (const role of ["img", "region"]) {
            const found = page.locator("#readings").getByRole(role, { name });
            assert.equal(await found.count(), 1, `${role} ${name}`);
          }
        }
        assert.match(await page.textContent("#readings"), /170\/95/);
        // The upper number alone is out of bounds.
        assert.equal(await page.locator("#readings svg .first .alert").count(), 1);
        assert.equal(await page.locator("#readings svg .second .alert").count(), 0);
        const look = of(language, ["to be looked at: upper", "需要关注：收缩压"]);
        assert.ok((await page.textContent("#readings table")).includes(look));
        await page.setViewportSize({ width: 360, height: SIZES[size].height });
        const words = await smallest(page);
        assert.ok(words >= 11, `${words} px`);
        await judge(page, `the pictures at 360 pixels, ${language}`);
        await page.setViewportSize(SIZES[size]);
        const drawn = await contrast(page);
        assert.ok(drawn.words >= 4.5 && drawn.lines >= 3 && drawn.marks >= 3, JSON.stringify(drawn));
        assert.match(await page.textContent("#adherence"), /100\.0 % \(1\/1\)/);
        assert.match(await page.textContent("#contacts"), /王磊[^]*儿子/);
        const second = of(language, [/Plan version 2 came into force/, /计划第 2 版生效/]);
        assert.match(await page.textContent("#journal"), second);
        // What a viewer may not do is not offered.
        assert.equal(await page.locator("main form, main a[href$='/plan/edit']").count(), 0);

        await page.locator("#readings .turn a", { hasText: "365" }).click();
        await page.waitForURL(/days=365/);
        assert.match(await page.textContent("#readings .turn [aria-current]"), /365/);
        const month = await page.textContent("#calendar h2");
        await page.locator("#calendar .turn a").first().click();
        await page.waitForURL(/month=/);
        assert.notEqual(await page.textContent("#calendar h2"), month);
        assert.equal(await page.locator("#calendar thead [aria-current=date]").count(), 0);

        await page.goto(clinic.page + WANG);
        await page.locator("#journal a").click();
        await page.waitForURL(/\/journal/);
        const first = of(language, [/Plan version 1 came into force/, /计划第 1 版生效/]);
        assert.match(await page.textContent("main"), first);
        await page.goto(`${clinic.page}${WANG}/plans`);
        assert.equal(await page.locator("article").count(), 2);
        const added = page.locator("article").first().locator("ins");
        assert.match((await added.allTextContents()).join(""), /\+ # 复诊前每天问一次/);
        assert.deepEqual(page.errors, []);
        await page.context().close();
      });
    }
  }

  await test("a text is checked while it is written, and nothing is saved by that", async () => {
    const [page, loaded] = await edit(LI, "hao", "laptop", "en-GB");
    assert.equal(loaded, await plan("li-guifang"));
    assert.match(await page.textContent("#verdict"), /nothing to say against it/);
    assert.match(await page.textContent("#reading"), /in force as it stands here/);
    await page.locator("#plan-text").focus();
    await page.keyboard.press("Control+End");
    await page.keyboard.type('\n[[medication]]\nname = "x"\ntake = "1"\nat = "25:00"\n');
    await page.locator("#reading pre", { hasText: "25:00" }).waitFor();
    assert.match(await page.textContent("#verdict"), /errors:/);
    assert.match(await page.textContent("#reading pre"), /^li-guifang\.toml:\d+:/);
    assert.equal(await page.evaluate(() => document.activeElement.id), "plan-text");
    await judge(page, "a wrong text that is written");
    await picture(page, "plan-edit-wrong");
    // Right again, with another meaning.
    await page.fill("#plan-text", loaded.replace('take = "1粒"', 'take = "2粒"'));
    await page.locator("#reading li", { hasText: "2粒 instead of 1粒" }).first().waitFor();
    assert.match(await page.textContent("#verdict"), /nothing to say against it/);
    assert.equal(await page.locator("#reading pre").count(), 0);
    await judge(page, "a text that would change something");
    assert.equal(await plan("li-guifang"), loaded);
    // What is not saved is not lost by a wrong click.
    const asked = page.waitForEvent("dialog");
    await Promise.all([
      page.locator("nav a[href='/inbox']").click({ noWaitAfter: true }),
      asked.then((dialog) => {
        assert.equal(dialog.type(), "beforeunload");
        return dialog.dismiss();
      }),
    ]);
    assert.match(page.url(), /\/plan\/edit/);
    assert.match(await text(page), /2粒/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  for (const scripts of [true, false]) {
    await test(`another language keeps what is written, ${scripts ? "with" : "without"} scripts`, async () => {
      const [page, loaded] = await edit(LI, "hao", "phone", "en-GB", { scripts });
      const written = `${loaded}# 还没写完 <b> & "\n`;
      page.on("dialog", (dialog) => page.errors.push(`asks: ${dialog.type()}`));
      await page.fill("#plan-text", written);
      assert.equal((await press(page, "中文")).status(), 200);
      assert.match(await page.textContent("h1"), /修改计划/);
      assert.equal(await text(page), written);
      // What judges runs in the page.
      if (scripts) await judge(page, "the editor in another language");
      assert.equal((await press(page, "English")).status(), 200);
      assert.match(await page.textContent("h1"), /Edit the plan/);
      assert.equal(await text(page), written);
      assert.equal(await plan("li-guifang"), loaded);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  for (const [size, language] of [["phone", "zh-CN"], ["laptop", "en-GB"]]) {
    await test(`a wrong text is not saved, ${language}, ${size}`, async () => {
      const [page, loaded] = await edit(LI, "hao", size, language, { refused: [422] });
      const wrong = loaded.replace('at = "09:00"', 'at = "29:00"');
      assert.notEqual(wrong, loaded);
      await page.fill("#plan-text", wrong);
      const answer = await press(page, of(language, ["Save", "保存"]));
      assert.equal(answer.status(), 422);
      assert.match(await page.textContent("[role=alert]"), of(language, [/Nothing was saved/, /没有保存/]));
      assert.match(await page.textContent("#reading pre"), /^li-guifang\.toml:\d+:[^]*29:00/);
      const said = of(language, ["29:00 is no time of the day", "一天里没有 29:00 这个时间"]);
      assert.ok((await page.textContent("#reading pre")).includes(said));
      assert.equal(await text(page), wrong, "what was written is kept");
      assert.equal(await plan("li-guifang"), loaded);
      await judge(page, `refused ${language} ${size}`);
      await plain(page, "refused");
      await picture(page, `plan-refused-${language}-${size}`);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  await test("without scripts, the button checks, and what is right is saved", async () => {
    const [page, loaded] = await edit(LI, "hao", "phone", "en-GB", { scripts: false, refused: [422] });
    const wrong = `${loaded}nmae = "x"\n`;
    await page.fill("#plan-text", wrong);
    assert.equal((await press(page, "Check")).status(), 200);
    assert.match(await page.textContent("#verdict"), /errors:/);
    assert.match(await page.textContent("#reading pre"), /nmae/);
    assert.equal(await text(page), wrong);
    assert.equal(await plan("li-guifang"), loaded);
    const right = `${loaded}# 无脚本保存\n`;
    await page.fill("#plan-text", right);
    await press(page, "Check");
    assert.match(await page.textContent("#verdict"), /nothing to say against it/);
    assert.equal(await plan("li-guifang"), loaded);
    assert.equal((await press(page, "Save")).status(), 200);
    assert.match(await page.textContent("[role=status]"), /Saved\. In force as version 2/);
    assert.equal(await plan("li-guifang"), right);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  for (const [size, language, version] of [["phone", "zh-CN", 3], ["laptop", "en-GB", 4]]) {
    await test(`a plan is saved as it is written and is in force, ${language}, ${size}`, async () => {
      const [page, loaded] = await edit(LI, "hao", size, language);
      const comment = `# 第${version}版：加一粒，<b>两周后</b> & "复查"\n`;
      const written = comment + loaded.replace(/take = "\d粒"/, `take = "${version}粒"`);
      await page.fill("#plan-text", written);
      const answer = await press(page, of(language, ["Save", "保存"]));
      assert.equal(answer.status(), 200);
      const status = await page.locator(".notice[role=status]").textContent();
      assert.match(status, of(language, [
        new RegExp(`Saved\\. In force as version ${version}\\.`),
        new RegExp(`已保存。 已生效，版本 ${version}`),
      ]));
      assert.equal(await plan("li-guifang"), written, "byte for byte");
      assert.equal(await text(page), written);
      assert.match(await page.textContent("#reading"), of(language, [/Nothing: it is in force/, /没有变化/]));
      await judge(page, `saved ${language} ${size}`);
      await plain(page, "saved");
      await picture(page, `plan-saved-${language}-${size}`);
      await page.locator(".notice a").click();
      assert.equal(new URL(page.url()).pathname, LI);
      assert.match(await page.textContent("#plan"), new RegExp(`${version}粒`));
      await page.goto(`${clinic.page}${LI}/plans`);
      const first = page.locator("article").first();
      assert.match((await first.locator("ins").allTextContents()).join(""), /<b>两周后<\/b> & "复查"/);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  for (const [size, language] of [["phone", "en-GB"], ["laptop", "zh-CN"]]) {
    await test(`a file that was edited meanwhile stays, ${language}, ${size}`, async () => {
      const [page, loaded] = await edit(LI, "hao", size, language, { scheme: "dark", refused: [409] });
      const there = `${loaded}# 在服务器上改的 ${size}\n`;
      const here = `${loaded}# 在网页上写的 ${size}\n`;
      await writeFile(file("li-guifang"), there);
      await page.fill("#plan-text", here);
      const answer = await press(page, of(language, ["Save", "保存"]));
      assert.equal(answer.status(), 409);
      const alert = page.locator("[role=alert]");
      assert.match(await alert.textContent(), of(language, [/Nothing was saved/, /没有保存/]));
      assert.match(await alert.locator("del").textContent(), /- # 在服务器上改的/);
      assert.match(await alert.locator("ins").textContent(), /\+ # 在网页上写的/);
      assert.equal(await text(page), here);
      assert.equal(await plan("li-guifang"), there);
      await judge(page, `changed underneath ${language} ${size}`);
      await plain(page, "changed underneath");
      await picture(page, `plan-changed-${language}-${size}`);
      if (size === "phone") {
        await alert.locator("a").click();
        await page.waitForURL(/\/plan\/edit/);
        assert.equal(await text(page), there, "loaded again");
      } else {
        const label = of(language, ["Save what is written here instead", "仍然用这里写的覆盖"]);
        assert.equal((await press(page, label)).status(), 200);
        assert.equal(await plan("li-guifang"), here);
      }
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  await test("a nurse makes a code and edits nothing", async () => {
    const page = await open("phone", "en-GB", { refused: [403] });
    await signIn(page, "lin");
    await page.goto(clinic.page + WANG);
    // One for the patient, one for the son.
    assert.equal(await page.getByRole("button", { name: "Make a code" }).count(), 2);
    assert.equal(await page.locator("a[href$='/plan/edit']").count(), 0);
    assert.equal((await page.goto(`${clinic.page}${WANG}/plan/edit`)).status(), 403);
    await judge(page, "not allowed");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
});
