//! The patient's page and the plan editor, over a socket.

use crate::pages::{Browser, world_with};
use crate::support::{Answer, World};
use std::fmt::Write as _;

const OURS: &str = "same-origin";

/// A form as a browser encodes it.
fn form(fields: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (name, value) in fields {
        if !all.is_empty() {
            all.push('&');
        }
        all += name;
        all.push('=');
        // Browsers end the lines of a text with both.
        for byte in value.replace('\n', "\r\n").bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => all.push(char::from(byte)),
                _ => write!(all, "%{byte:02X}").expect("writing to a String does not fail"),
            }
        }
    }
    all
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a Answer, name: &str) -> &'a str {
    let begin = format!("name=\"{name}\" value=\"");
    let rest = page.body.split_once(&begin).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no field {name}: {}", page.body))
}

/// Saves a text as a page that was loaded before would.
async fn save(browser: &Browser<'_>, patient: &str, loaded: &Answer, text: &str) -> Answer {
    let fields = [
        ("csrf", hidden(loaded, "csrf")),
        ("loaded", hidden(loaded, "loaded")),
        ("text", text),
    ];
    let path = format!("/patients/{patient}/plan?lang=en");
    browser.post(&path, OURS, &form(&fields)).await
}

const PLAN: &str = r#"# 王秀兰: seen on Monday
name = "王秀兰"
wechat = "o-wang"

[[medication]]
name = "二甲双胍"
take = "1片"
at = "08:00" # with breakfast

[[check_in]]
ask = "Blood pressure?"
answer = "blood pressure"
at = "09:00"
alert_if = "upper over 160"
"#;

async fn with_plan(accounts: &[(&str, &str)]) -> (World, crate::support::Daemon) {
    let (world, daemon) = world_with(accounts).await;
    world.write("plans.d/wang.toml", PLAN);
    let reloaded = world.cli(&["reload"]).await;
    assert!(reloaded.status.success(), "{reloaded:?}");
    (world, daemon)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_patients_page_says_what_is_prescribed_and_what_was() {
    let (_world, daemon) = with_plan(&[("mei", "viewer"), ("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "mei").await;
    let page = browser.get("/patients/wang?lang=en").await;
    assert_eq!(page.status, 200, "{page:?}");
    for said in [
        "王秀兰 (wang)",
        "Plan version",
        "every day",
        "二甲双胍",
        "Blood pressure?",
        "Plan version 2 came into force",
        "Adherence",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    // A viewer is offered nothing that is refused.
    for offered in ["plan/edit", "/enrol"] {
        assert!(!page.body.contains(offered), "{offered}");
    }
    let page = browser
        .get("/patients/wang?lang=zh-CN&month=2025-01&days=365")
        .await;
    for said in ["有效的计划", "计划第 2 版生效", "2025-01", "这个月没有用药"] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let journal = browser.get("/patients/wang/journal?lang=en").await;
    assert!(
        journal.body.contains("Plan version 1 came into force"),
        "{}",
        journal.body
    );
    let plans = browser.get("/patients/wang/plans").await;
    assert!(plans.body.contains("seen on Monday"), "{}", plans.body);
    assert!(plans.body.contains("<ins>+ [[check_in]]"), "{}", plans.body);
    for page in [&page, &journal, &plans] {
        for inline in ["<style", "style=", "onclick", "javascript:"] {
            assert!(!page.body.contains(inline), "{inline}");
        }
    }
    for nobody in [
        "/patients/li",
        "/patients/li/journal",
        "/patients/li/plans",
        "/patients/..%2Fwang",
        "/patients/..",
        "/patients/wang%00",
        "/patients/WANG",
    ] {
        assert_eq!(browser.get(nobody).await.status, 404, "{nobody}");
    }
    // What is no month, mark or number is passed over.
    for odd in [
        "/patients/wang?month=9999-99&days=70000",
        "/patients/wang/journal?before=4294967295.4294967295",
        "/patients/wang/journal?before=-1",
        "/patients/wang/plans?before=x",
    ] {
        assert_eq!(browser.get(odd).await.status, 200, "{odd}");
    }
    let doctor = Browser::sign_in(&daemon, "hao").await;
    let page = doctor.get("/patients/wang?lang=en").await;
    assert!(page.body.contains("/patients/wang/plan/edit"));
    // The console has no code that could be scanned, and says so. Seeing makes none.
    assert_eq!(doctor.get("/patients/wang/enrol").await.status, 405);
    let fields = form(&[("csrf", hidden(&page, "csrf")), ("caregiver", "")]);
    let enrolled = doctor.post("/patients/wang/enrol", OURS, &fields).await;
    assert_eq!(enrolled.status, 409, "{enrolled:?}");
    let token = browser.token("/patients/wang").await;
    let refused = browser
        .post("/patients/wang/enrol", OURS, &form(&[("csrf", &token)]))
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_saved_as_it_was_written_and_comes_into_force() {
    let (world, daemon) = with_plan(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let loaded = browser.get("/patients/wang/plan/edit?lang=en").await;
    assert_eq!(loaded.status, 200, "{loaded:?}");
    assert!(loaded.body.contains("# with breakfast"), "{}", loaded.body);
    assert!(
        loaded.body.contains("it is in force as it stands here"),
        "{}",
        loaded.body
    );

    // Checked, and nothing is written.
    let text = PLAN.replace("\"08:00\"", "\"08:30\"").replace("1片", "2片");
    let fields = [("csrf", hidden(&loaded, "csrf")), ("text", &text)];
    let checked = browser
        .post("/patients/wang/plan/check?lang=en", OURS, &form(&fields))
        .await;
    assert_eq!(checked.status, 200, "{checked:?}");
    assert!(
        checked.body.contains("2片 instead of 1片"),
        "{}",
        checked.body
    );
    assert!(checked.body.contains("moved from"), "{}", checked.body);
    assert_eq!(world.read("plans.d/wang.toml"), PLAN);

    // Wrong: said where, and nothing is written.
    let wrong = PLAN.replace("08:00", "25:00");
    let refused = save(&browser, "wang", &loaded, &wrong).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains(">wang.toml:8:6: "),
        "{}",
        refused.body
    );
    let chinese = browser
        .post("/patients/wang/plan/check?lang=zh-CN", OURS, &{
            let text = wrong.as_str();
            form(&[("csrf", hidden(&loaded, "csrf")), ("text", text)])
        })
        .await;
    for said in [
        "每一处写明",
        "<strong>错误</strong>：一天里没有 25:00 这个时间",
    ] {
        assert!(chinese.body.contains(said), "{said}: {}", chinese.body);
    }
    assert!(refused.body.contains("25:00"), "what was written is kept");
    assert_eq!(world.read("plans.d/wang.toml"), PLAN);

    // Right: comments and all.
    let saved = save(&browser, "wang", &loaded, &text).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    assert!(
        saved.body.contains("In force as version 3"),
        "{}",
        saved.body
    );
    assert_eq!(world.read("plans.d/wang.toml"), text);
    let differs = world.cli(&["diff"]).await;
    assert!(
        differs.status.success(),
        "it is what is in force: {differs:?}"
    );
    let plans = browser.get("/patients/wang/plans").await;
    assert!(
        plans.body.contains("<ins>+ take = &quot;2片&quot;"),
        "{}",
        plans.body
    );

    // What the last edits changed, for everybody who is signed in.
    let edits = browser.get("/plans?lang=en").await;
    for said in [
        "<del>- take = &quot;1片&quot;",
        "<ins>+ take = &quot;2片&quot;",
        "<ins>+ [[check_in]]",
        "href=\"/patients/wang/plans\"",
    ] {
        assert!(edits.body.contains(said), "{said}: {}", edits.body);
    }

    // The page that was loaded before knows an older file.
    let again = save(&browser, "wang", &loaded, PLAN).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(world.read("plans.d/wang.toml"), text);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_language_keeps_what_is_written_and_does_nothing_else() {
    let (world, daemon) = with_plan(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let loaded = browser.get("/patients/wang/plan/edit?lang=en").await;
    let csrf = hidden(&loaded, "csrf");
    // The button for another language, and what it sends beside a form's fields.
    let switched = |page: &Answer, id: &str| -> String {
        let begin = format!("form=\"{id}\" formaction=\"");
        let button = page.body.split_once(&begin).map(|(_, rest)| rest);
        let button = button.unwrap_or_else(|| panic!("no button {id}: {}", page.body));
        assert!(
            button.contains("name=\"show_again\" value=\"1\""),
            "{button}"
        );
        assert!(!page.body.contains("hreflang"), "a link would lose it");
        let action = button.split('"').next().unwrap_or_default();
        assert!(action.ends_with("?lang=zh-CN"), "{action}");
        action.to_owned()
    };
    let text = PLAN.replace("Monday", "Friday & <b>");
    let fields = [
        ("csrf", csrf),
        ("loaded", hidden(&loaded, "loaded")),
        ("text", &text),
        ("show_again", "1"),
    ];
    let action = switched(&loaded, "plan-form");
    let page = browser.post(&action, OURS, &form(&fields)).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("<html lang=\"zh-CN\""));
    assert!(
        page.body.contains("Friday &amp; &lt;b&gt;"),
        "{}",
        page.body
    );
    assert_eq!(hidden(&page, "loaded"), hidden(&loaded, "loaded"));
    assert_eq!(world.read("plans.d/wang.toml"), PLAN);

    // A form that is shown again with what is wrong: whatever stands in it now is not sent.
    let long = "长".repeat(700);
    for (path, id) in [
        ("/inbox/answer", "again-form"),
        ("/calls/done", "note-form"),
    ] {
        let fields = [("csrf", csrf), ("patient", "wang"), ("text", long.as_str())];
        let action = format!("{path}?lang=en");
        let refused = browser.post(&action, OURS, &form(&fields)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let fields = [
            ("csrf", csrf),
            ("once", hidden(&refused, "once")),
            ("patient", "wang"),
            ("text", "三点给您回电话"),
            ("show_again", "1"),
        ];
        let action = switched(&refused, id);
        let page = browser.post(&action, OURS, &form(&fields)).await;
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.body.contains("<html lang=\"zh-CN\""));
        assert!(page.body.contains("三点给您回电话"), "{}", page.body);
    }
    let asked = browser.get("/new-patient?lang=en").await;
    let action = switched(&asked, "new-form");
    let fields = form(&[("csrf", csrf), ("id", "li"), ("show_again", "1")]);
    let page = browser.post(&action, OURS, &fields).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("value=\"li\""), "{}", page.body);

    // What a form alone shows has no link to an address that answers nothing.
    let fields = form(&[("csrf", csrf), ("caregiver", "")]);
    let page = browser
        .post("/patients/wang/enrol?lang=en", OURS, &fields)
        .await;
    assert_eq!(page.status, 409, "{page:?}");
    for offered in ["hreflang", "show_again"] {
        assert!(!page.body.contains(offered), "{offered}: {}", page.body);
    }
    let page = browser.get("/inbox?lang=en").await;
    assert!(page.body.contains("hreflang"), "{}", page.body);
    assert_eq!(daemon.stop().await.code(), Some(0));
    let journal = world.cli(&["export", "journal"]).await;
    let journal = String::from_utf8(journal.stdout).expect("output is UTF-8");
    assert!(!journal.contains("三点"), "{journal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_on_disk_is_shown_and_only_replaced_at_somebodys_word() {
    let (world, daemon) = with_plan(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let loaded = browser.get("/patients/wang/plan/edit?lang=en").await;
    let on_disk = PLAN.replace("Monday", "Tuesday");
    world.write("plans.d/wang.toml", &on_disk);
    let mine = PLAN.replace("Monday", "Friday");
    let refused = save(&browser, "wang", &loaded, &mine).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused.body.contains("<del>- # 王秀兰: seen on Tuesday"),
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains("<ins>+ # 王秀兰: seen on Friday"),
        "{}",
        refused.body
    );
    assert_eq!(world.read("plans.d/wang.toml"), on_disk);
    // Sent again as it is: refused again.
    let again = save(&browser, "wang", &refused, &mine).await;
    assert_eq!(again.status, 409);
    let fields = [
        ("csrf", hidden(&refused, "csrf")),
        ("loaded", hidden(&refused, "loaded")),
        ("instead_of", hidden(&refused, "instead_of")),
        ("text", &mine),
    ];
    let saved = browser
        .post("/patients/wang/plan", OURS, &form(&fields))
        .await;
    assert_eq!(saved.status, 200, "{saved:?}");
    assert_eq!(world.read("plans.d/wang.toml"), mine);

    std::fs::remove_file(world.path("plans.d/wang.toml")).expect("it is there");
    let gone = save(&browser, "wang", &saved, PLAN).await;
    assert_eq!(gone.status, 409, "{gone:?}");
    assert!(!world.path("plans.d/wang.toml").exists());
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_doctor_edits_only_plans_and_only_in_their_directory() {
    let accounts = [("hao", "doctor"), ("lin", "nurse"), ("mei", "viewer")];
    let (world, daemon) = with_plan(&accounts).await;
    for name in ["lin", "mei"] {
        let browser = Browser::sign_in(&daemon, name).await;
        assert_eq!(
            browser.get("/patients/wang/plan/edit").await.status,
            403,
            "{name}"
        );
        assert_eq!(browser.get("/new-patient").await.status, 403, "{name}");
        let token = browser.token("/patients/wang").await;
        for path in [
            "/patients/wang/plan",
            "/patients/wang/plan/check",
            "/new-patient",
        ] {
            let fields = form(&[("csrf", &token), ("text", "name = \"x\"\n"), ("id", "x")]);
            assert_eq!(
                browser.post(path, OURS, &fields).await.status,
                403,
                "{name} {path}"
            );
        }
    }
    let browser = Browser::sign_in(&daemon, "hao").await;
    let loaded = browser.get("/patients/wang/plan/edit?lang=en").await;
    let fields = form(&[
        ("csrf", "0000"),
        ("loaded", hidden(&loaded, "loaded")),
        ("text", ""),
    ]);
    assert_eq!(
        browser
            .post("/patients/wang/plan", OURS, &fields)
            .await
            .status,
        403
    );

    for id in [
        "..%2Fwang",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "wang.toml",
        "WANG",
        "%00",
    ] {
        let edit = browser.get(&format!("/patients/{id}/plan/edit")).await;
        assert_eq!(edit.status, 404, "{id}");
        let fields = [
            ("csrf", hidden(&loaded, "csrf")),
            ("loaded", ""),
            ("text", PLAN),
        ];
        let saved = browser
            .post(&format!("/patients/{id}/plan"), OURS, &form(&fields))
            .await;
        assert_eq!(saved.status, 404, "{id}");
    }

    // A link leads nowhere from here, whatever it leads to.
    world.write("secret.toml", "name = \"secret\"\n");
    let link = world.path("plans.d/link.toml");
    std::os::unix::fs::symlink("../secret.toml", &link).expect("a link can be made");
    let edit = browser.get("/patients/link/plan/edit?lang=en").await;
    assert_eq!(edit.status, 409, "{edit:?}");
    assert!(!edit.body.contains("secret"), "{}", edit.body);
    let saved = save(&browser, "link", &loaded, PLAN).await;
    assert_eq!(saved.status, 409, "{saved:?}");
    assert_eq!(world.read("secret.toml"), "name = \"secret\"\n");

    let long = format!("{PLAN}# {}\n", "x".repeat(300_000));
    let saved = save(&browser, "wang", &loaded, &long).await;
    assert_eq!(saved.status, 413, "{saved:?}");
    assert_eq!(world.read("plans.d/wang.toml"), PLAN);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_somebody_new_begins_here() {
    let (world, daemon) = with_plan(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let token = browser.token("/new-patient").await;
    let asked = |id: &str| form(&[("csrf", &token), ("id", id)]);
    let refused = browser.post("/new-patient", OURS, &asked("../Li")).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let begun = browser.post("/new-patient", OURS, &asked("li")).await;
    assert_eq!(begun.header("location"), Some("/patients/li/plan/edit"));
    let loaded = browser.get("/patients/li/plan/edit?lang=en").await;
    assert_eq!(loaded.status, 200, "{loaded:?}");
    assert_eq!(hidden(&loaded, "loaded"), "");
    let text =
        "name = \"李桂芳\"\n[[medication]]\nname = \"氨氯地平\"\ntake = \"1片\"\nat = \"21:00\"\n";
    let saved = save(&browser, "li", &loaded, text).await;
    assert!(saved.body.contains("In force as version 1"), "{saved:?}");
    assert_eq!(world.read("plans.d/li.toml"), text);
    // Whoever had the empty page open meanwhile does not write over it.
    let again = save(&browser, "li", &loaded, PLAN).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(world.read("plans.d/li.toml"), text);
    assert_eq!(browser.get("/patients/li").await.status, 200);

    // What is saved is in the audit, and what was only looked at as well; no text of it.
    assert_eq!(daemon.stop().await.code(), Some(0));
    let audit = world.cli(&["export", "audit"]).await;
    let audit = String::from_utf8(audit.stdout).expect("output is UTF-8");
    assert!(audit.contains("plan_save"), "{audit}");
    assert!(!audit.contains("氨氯地平"), "{audit}");
}

/// Starts a daemon that cannot write into the plan directory. Root may write anywhere but into what is
/// mounted read-only.
async fn start_read_only(world: &World) -> crate::support::Daemon {
    let plans = world.path("plans.d");
    if !rustix::process::geteuid().is_root() {
        world.set_mode("plans.d", 0o555);
        return world.start().await;
    }
    let mount = "mount --bind -o ro \"$1\" \"$1\" && shift && exec \"$@\"";
    let plans = plans.to_str().expect("a path of text");
    let wrapper = ["unshare", "--mount", "sh", "-c", mount, "sh", plans];
    crate::support::Daemon::start_under(world, &wrapper).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_plan_directory_is_read_only_nothing_is_saved_and_nothing_is_lost() {
    let (world, daemon) = with_plan(&[("hao", "doctor")]).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let daemon = start_read_only(&world).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let loaded = browser.get("/patients/wang/plan/edit?lang=en").await;
    assert_eq!(loaded.status, 200, "{loaded:?}");
    let why = "Nothing can be saved: the daemon may not write into the plan directory.";
    // It is said before anybody has written anything, and the button cannot be pressed.
    assert!(loaded.body.contains(why), "{}", loaded.body);
    assert!(loaded.body.contains("<button type=\"submit\" disabled>"));
    let mine = PLAN.replace("1片", "2片");
    let refused = save(&browser, "wang", &loaded, &mine).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains(why), "{}", refused.body);
    assert!(refused.body.contains("role=\"alert\""), "{}", refused.body);
    // What was written is shown again, to be copied.
    assert!(
        refused.body.contains("take = &quot;2片&quot;"),
        "{}",
        refused.body
    );
    let fields = [
        ("csrf", hidden(&loaded, "csrf")),
        ("loaded", ""),
        ("text", PLAN),
    ];
    let fields = form(&fields);
    let new = browser.post("/patients/li/plan?lang=en", OURS, &fields);
    assert_eq!(new.await.status, 409);
    assert_eq!(world.read("plans.d/wang.toml"), PLAN);
    let left: Vec<_> = std::fs::read_dir(world.path("plans.d"))
        .expect("it is there")
        .map(|it| it.expect("it can be listed").file_name())
        .collect();
    assert_eq!(left, ["wang.toml"], "no draft lies there");
    // Whom it concerns is reminded as before.
    let page = browser.get("/patients/wang?lang=en").await;
    assert!(page.body.contains("1片"), "{}", page.body);
    assert_ne!(daemon.health().await["status"], "fail");
    assert_eq!(daemon.stop().await.code(), Some(0));
    world.set_mode("plans.d", 0o755);
}
