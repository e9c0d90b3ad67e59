//! Plans and the sentences that they become.

use crate::plan::{Day, Defaults, Language, Zone, diagnostic::Source, read};

fn sentences(text: &str, language: Language) -> Vec<String> {
    let defaults = Defaults {
        zone: Zone::get("Asia/Shanghai").unwrap(),
        language,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", format!("name = \"x\"\n{text}"));
    read(&source, &defaults).unwrap().plan.explain(language)
}

fn medication(lines: &str, language: Language) -> String {
    sentences(
        &format!("[[medication]]\nname = \"M\"\n{lines}\n"),
        language,
    )
    .remove(0)
}

#[test]
fn a_medication_is_one_sentence_in_either_language() {
    for (lines, english, chinese) in [
        (
            "take = \"1 tablet\"\nat = \"08:00, 20:00\"\nstart = 2026-03-02\nfor = \"7 days\"",
            "M: every day at 08:00 and 20:00 take 1 tablet, from 2026-03-02 to 2026-03-08.",
            "M：每天 08:00、20:00 服 1 tablet，2026-03-02 至 2026-03-08。",
        ),
        (
            "at = \"18:00\"\ntake = { \"mon, wed, fri\" = \"5 mg\", \"tue, thu, sat, sun\" = \"2.5 mg\" }",
            "M: every Mon, Wed, Fri at 18:00 take 5 mg; every Tue, Thu, Sat, Sun at 18:00 take 2.5 mg.",
            "M：每周一、三、五 18:00 服 5 mg，每周二、四、六、日 18:00 服 2.5 mg。",
        ),
        (
            "at = \"morning\"\nstart = 2026-03-02\nsteps = [\"40 mg for 5 days\", \"20 mg\"]\ncritical = true",
            "M: from 2026-03-02 to 2026-03-06, every day at 08:00 take 40 mg; from 2026-03-07 on, every day at 08:00 take 20 mg, time-critical.",
            "M：2026-03-02 至 2026-03-06，每天 08:00 服 40 mg；2026-03-07 起，每天 08:00 服 20 mg，须准时。",
        ),
        (
            "take = \"1 g\"\nevery = \"8 hours\"\nfirst = 2026-03-02T06:00:00\ndoses = 6",
            "M: every 8 hours, day and night, take 1 g, first on 2026-03-02 Mon 06:00, until 2026-03-03 Tue 22:00, 6 doses in all.",
            "M：从 2026-03-02 周一 06:00 起，每8小时（昼夜）服 1 g，至 2026-03-03 周二 22:00，共6次。",
        ),
        (
            "take = \"1 tablet\"\nas_needed = \"headache\"\nat_most = \"3 in 24 hours\"\napart = \"6 hours\"",
            "M: when needed (headache) take 1 tablet, without reminders, at most 3 in 24 hours, at least 6 hours apart.",
            "M：需要时（headache）服 1 tablet，不提醒，24小时内最多3次，至少间隔6小时。",
        ),
        (
            "take = \"as directed\"\nat = \"08:00\"\ndays = \"21 on, 7 off\"\nstart = 2026-03-02\npauses = [\"off 2026-04-10, back on 2026-04-13\"]",
            "M: 21 days on, 7 days off at 08:00 take as directed, from 2026-03-02 on, not from 2026-04-10 on, again from 2026-04-13 on.",
            "M：服21天停7天 08:00 遵医嘱服用，2026-03-02 起，2026-04-10 停药，2026-04-13 恢复。",
        ),
        (
            "scheme = \"1-0-½-0\"\nunit = \"tablet\"",
            "M: every day at 08:00 take 1 tablet, at 18:00 take ½ tablet.",
            "M：每天 08:00 服 1 tablet，18:00 服 ½ tablet。",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"1st, last day of the month\"",
            "M: on the 1st and last day of each month at 08:00 take 1.",
            "M：每月1日、最后一天 08:00 服 1。",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every 2 weeks on mon\"\nstart = 2026-03-02",
            "M: every 2 weeks on Mon at 08:00 take 1, from 2026-03-02 on.",
            "M：每2周的周一 08:00 服 1，2026-03-02 起。",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = [\"500 mg once\", \"250 mg\"]",
            "M: on 2026-03-02 Mon 08:00 take 500 mg; from 2026-03-03 Tue 08:00 on, every day at 08:00 take 250 mg.",
            "M：2026-03-02 周一 08:00 服 500 mg；2026-03-03 周二 08:00 起，每天 08:00 服 250 mg。",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every month\"\nstart = 2026-01-31",
            "M: every month on the 31st (or the last day) at 08:00 take 1, from 2026-01-31 on.",
            "M：每月31日（没有该日则在月末） 08:00 服 1，2026-01-31 起。",
        ),
        (
            "take = \"1\"\nonce = 2026-03-02T09:30:00",
            "M: on 2026-03-02 Mon 09:30 take 1.",
            "M：2026-03-02 周一 09:30 服 1。",
        ),
        (
            "take = \"1\"\nevery = \"6 hours after the last dose\"",
            "M: 6 hours after each dose that was taken, take 1, first at once.",
            "M：首次立即，每次服药后6小时再服 1。",
        ),
    ] {
        assert_eq!(medication(lines, Language::En), english);
        assert_eq!(medication(lines, Language::ZhCn), chinese);
    }
}

#[test]
fn everything_else_of_a_plan_is_said_too() {
    let text = "
[[check_in]]
ask = \"How are you?\"
answer = \"scale 1 to 5\"
at = \"09:00\"
days = \"mon\"
[[appointment]]
what = \"Blood test\"
at = 2026-03-10T09:00:00
[[caregiver]]
name = \"Wang Lei\"
relation = \"son\"
[[away]]
from = 2026-04-10
until = 2026-04-12
timezone = \"Europe/Berlin\"
";
    assert_eq!(
        sentences(text, Language::En),
        [
            "Asked every Mon at 09:00: \"How are you?\" (1 to 5)",
            "Appointment on 2026-03-10 Tue 09:00: Blood test; reminders on 2026-03-09 Mon 09:00 and 2026-03-10 Tue 07:00.",
            "Wang Lei (son) is told of missed doses.",
            "From 2026-04-10 to 2026-04-12 all times are those of Europe/Berlin.",
        ]
    );
    assert_eq!(
        sentences(text, Language::ZhCn)[0],
        "每周一 09:00 询问：“How are you?”（评分 1 到 5）"
    );
}
