//! Templates: what compiles, what fits, what is put on the wire.

use super::*;
use crate::engine::{
    Alert, AppointmentLine, Digest, ExpiredReason, Fits, News, Question, RefillLine, Text,
};
use crate::messaging::{FieldError, Limits, Permit};
use crate::plan::AnswerType;
use jiff::SignedDuration;
use keyword::Fault;
use proptest::prelude::*;

fn compile(kind: MessageKind, data: &[(&str, &str)]) -> Templates {
    Templates::compile(&config(kind, data), "郝医生诊所").expect("good templates")
}

/// The values a message has, by field.
fn values(templates: &Templates, body: &Body, now: Timestamp) -> BTreeMap<String, String> {
    let message = Outgoing {
        id: MessageId([0; 16]),
        address: OPENID,
        addressee: &wang(),
        body,
        link: None,
        now,
        permit: &Permit::always(),
    };
    let bytes = templates.request(&message).expect("a message that fits");
    let sent: wire::TemplateSend = serde_json::from_slice(&bytes).expect("the wire's form");
    sent.data
        .into_iter()
        .map(|(key, value)| (key, value.value))
        .collect()
}

fn value(templates: &Templates, body: &Body) -> String {
    values(templates, body, now())
        .into_values()
        .collect::<Vec<_>>()
        .join("|")
}

fn at_minute(label: &str, minute: i64) -> DoseLine {
    let due = now() + SignedDuration::from_mins(minute);
    DoseLine {
        due,
        on_time_until: due + SignedDuration::from_mins(30),
        ..dose(label, "1片")
    }
}

fn unfit(templates: &Templates, body: &Body) -> FieldError {
    match templates.check(&wang(), body) {
        Err(Unfit::Field(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_has_the_variables_the_documentation_lists() {
    let text = Text {
        text: "请来复诊".into(),
        at: now(),
    };
    let question = Question {
        check_in: "bp".into(),
        ask: "血压是多少？".into(),
        answer: AnswerType::BloodPressure,
        due: now(),
        on_time_until: now(),
    };
    let appointment = AppointmentLine {
        what: "复诊".into(),
        at: now(),
        note: Some("空腹".into()),
    };
    let mut noted = dose("二甲双胍", "1片");
    noted.note = Some("饭后".into());
    let rows = [
        (
            Body::Dose(vec![noted, dose("氨氯地平", "")]),
            "{{patient}}/{{medications}}/{{names}}/{{at}}/{{note}}/{{late}}/{{count}}/{{clinic}}",
            "王秀兰/二甲双胍 1片、氨氯地平/二甲双胍、氨氯地平/2026-11-24 08:00/饭后/False/2/郝医生诊所",
        ),
        (
            Body::CheckIn(question),
            "{{patient}}/{{question}}/{{answer}}/{{at}}/{{late}}/{{clinic}}",
            "王秀兰/血压是多少？/请回复高压/低压，如120/80/2026-11-24 08:00/False/郝医生诊所",
        ),
        (
            Body::Appointment(appointment),
            "{{patient}}/{{what}}/{{at}}/{{note}}/{{clinic}}",
            "王秀兰/复诊/2026-11-24 08:00/空腹/郝医生诊所",
        ),
        (
            Body::Notice(text.clone()),
            "{{patient}}/{{text}}/{{at}}/{{clinic}}",
            "王秀兰/请来复诊/2026-11-24 08:00/郝医生诊所",
        ),
        (
            Body::Alert(Alert {
                news: News::Unreachable,
                at: now(),
            }),
            "{{patient}}/{{text}}/{{at}}/{{clinic}}",
            "王秀兰/微信联系不上/2026-11-24 08:00/郝医生诊所",
        ),
    ];
    for (body, source, expected) in rows {
        let kind = MessageKind::of(&body);
        // Once as it stands, and once through the engine, which a statement makes necessary.
        for source in [
            source.to_owned(),
            format!("{{% if true %}}{source}{{% endif %}}"),
        ] {
            let templates = compile(kind, &[("keyword1", &source)]);
            assert_eq!(value(&templates, &body), expected, "{source}");
        }
    }
}

#[test]
fn late_is_true_after_the_on_time_limit_of_any_dose() {
    let templates = compile(
        MessageKind::Dose,
        &[("thing1", "{% if late %}补{% else %}准{% endif %}")],
    );
    let body = Body::Dose(vec![at_minute("A", 0), at_minute("B", 10)]);
    for (minute, text) in [(0, "准"), (30, "准"), (31, "补"), (41, "补")] {
        let sent_at = now() + SignedDuration::from_mins(minute);
        assert_eq!(
            values(&templates, &body, sent_at)["thing1"],
            text,
            "minute {minute}"
        );
    }
}

#[test]
fn times_stand_in_front_where_they_differ_and_fit() {
    let templates = compile(
        MessageKind::Dose,
        &[
            ("thing1", "{{ medications }}"),
            ("time2", "{{ at }}"),
            ("number3", "{{ count }}"),
        ],
    );
    let two = |first: usize, second: usize| {
        let bare = |name: &str, count, minute| DoseLine {
            amount: String::new(),
            formerly: None,
            ..at_minute(&name.repeat(count), minute)
        };
        Body::Dose(vec![bare("甲", first, 0), bare("乙", second, 60)])
    };
    for (body, text) in [
        (two(4, 3), Some("08:00 甲甲甲甲、09:00 乙乙乙".to_owned())),
        // One more, and there is no room for the times.
        (two(4, 4), Some("甲甲甲甲、乙乙乙乙".to_owned())),
        (
            two(10, 9),
            Some(format!("{}、{}", "甲".repeat(10), "乙".repeat(9))),
        ),
        (two(10, 10), None),
    ] {
        assert_eq!(templates.fits(&wang(), &body), text.is_some());
        if let Some(text) = text {
            let values = values(&templates, &body, now());
            assert_eq!(values["thing1"], text);
            assert_eq!(
                values["time2"], "2026-11-24 08:00",
                "the earliest of several"
            );
            assert_eq!(values["number3"], "2");
        }
    }
}

#[test]
fn a_refill_is_said_in_the_most_telling_words_that_fit() {
    let refill = |label: &str, days| {
        Body::Refill(RefillLine {
            label: label.to_owned(),
            left: 14_000,
            unit: "片".to_owned(),
            days,
            at: now(),
        })
    };
    let templates = compile(MessageKind::Notice, &[("thing1", "{{ text }}")]);
    for (label, days, said) in [
        ("二甲双胍", 7, "二甲双胍还够7天，请配药"),
        ("二甲双胍", 0, "二甲双胍快用完了，请配药"),
        ("阿莫西林克拉维酸钾片分散片", 7, "有药快用完了，请联系诊所"),
    ] {
        assert_eq!(value(&templates, &refill(label, days)), said, "{label}");
    }
    let words = templates.in_words(&wang(), &refill("二甲双胍", 7));
    let words = words.expect("it has words of its own");
    assert_eq!(
        words,
        "二甲双胍大约还够 7 天，请早点联系诊所开药，不要断药。"
    );
}

#[test]
fn a_digest_is_said_in_the_most_telling_words_that_fit_and_urgent_words_come_first() {
    let digest = |taken, missed, calls, red_flags, words| {
        Body::Digest(Digest {
            day: jiff::civil::date(2026, 3, 23),
            at: now(),
            due: 90,
            taken,
            missed,
            calls,
            red_flags,
            words,
            expired: vec![(ExpiredReason::ApiDown, 1)],
            ..Digest::default()
        })
    };
    let templates = compile(MessageKind::Notice, &[("thing1", "{{ text }}")]);
    for (body, chinese) in [
        (digest(89, 0, 0, 0, 0), "服89/90 未提醒1"),
        (digest(86, 3, 0, 0, 0), "服86/90 漏3 未提醒1"),
        (digest(86, 3, 2, 0, 0), "电2 服86/90 漏3 未提醒1"),
        (digest(86, 3, 2, 1, 4), "急1 电2 服86/90 未提醒1"),
    ] {
        assert_eq!(value(&templates, &body), chinese);
        let words = templates.in_words(&wang(), &body).expect("it has words");
        assert!(words.starts_with("3月23日应服90次，已服"), "{words}");
        assert!(words.contains("未能提醒1（微信故障 1）"), "{words}");
    }
    // Whatever the counts are, in both languages: it fits, and no urgent word is cut off.
    for language in [Language::ZhCn, Language::En] {
        let staff = Addressee { language, ..wang() };
        for count in [0, 9, 99, 999, 9_999] {
            let body = digest(count, count, count, count, count);
            assert_eq!(templates.check(&staff, &body), Ok(()), "{count}");
        }
    }
}

#[test]
fn what_does_not_fit_late_does_not_fit_at_all() {
    let templates = compile(
        MessageKind::Dose,
        &[(
            "thing1",
            "{{ medications }}{% if late %}（已过时间）{% endif %}",
        )],
    );
    let fits = Body::Dose(vec![dose("甲乙丙丁戊己庚辛壬癸甲", "1片")]);
    assert_eq!(templates.check(&wang(), &fits), Ok(()));
    let too_long = Body::Dose(vec![dose("甲乙丙丁戊己庚辛壬癸甲乙", "1片")]);
    let error = unfit(&templates, &too_long);
    assert_eq!(
        (error.fault, error.length, error.limit),
        (Fault::TooLong, 21, Some(20))
    );
    assert_eq!(error.short_max, Some(11));
}

#[test]
fn a_single_dose_that_is_too_long_is_told_how_short_a_name_helps() {
    let templates = example();
    let error = unfit(
        &templates,
        &Body::Dose(vec![dose("盐酸二甲双胍缓释片（格华止）500毫克", "1片")]),
    );
    assert_eq!(
        error.to_string(),
        "the field `thing2` of the dose template cannot hold so long a text: 22 characters, and 20 fit"
    );
    assert_eq!(
        error.help().as_deref(),
        Some("give the medication a `short` name of at most 17 characters")
    );
    // Where the amount alone is too long no name helps, and none is proposed.
    let amount = "早上一片、中午两片、晚上三片，均于饭后半小时服用";
    let error = unfit(&templates, &Body::Dose(vec![dose("二甲双胍", amount)]));
    assert_eq!((error.fault, error.help()), (Fault::TooLong, None));
    // Nor for several doses: they can be sent one by one.
    let several = Body::Dose(vec![
        dose("盐酸二甲双胍缓释片", "1片"),
        dose("苯磺酸氨氯地平片", "1片"),
    ]);
    assert_eq!(unfit(&templates, &several).help(), None);
}

#[test]
fn empty_and_broken_values_name_their_field_and_hold_no_text() {
    let mut noted = dose("二甲双胍", "1片");
    noted.note = Some("饭后\n多喝水".into());
    let named = |name: &str| Addressee {
        name: name.into(),
        ..wang()
    };
    let no_default = compile(MessageKind::Dose, &[("thing4", "{{ note }}")]);
    let rows = [
        (example(), wang(), noted, "thing4", Fault::ControlCharacter),
        (
            no_default,
            wang(),
            dose("二甲双胍", "1片"),
            "thing4",
            Fault::Empty,
        ),
        (
            example(),
            named(" "),
            dose("二甲双胍", "1片"),
            "thing1",
            Fault::Empty,
        ),
    ];
    for (templates, addressee, dose, field, fault) in rows {
        let body = Body::Dose(vec![dose]);
        let Err(Unfit::Field(error)) = templates.check(&addressee, &body) else {
            panic!("{field} fits");
        };
        assert_eq!((error.field.as_str(), error.fault), (field, fault));
        assert_eq!(error.help(), None);
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("饭后") && !shown.contains("二甲双胍"),
            "{shown}"
        );
    }
}

#[test]
fn a_kind_without_a_template_is_an_error_only_where_it_is_needed() {
    let templates = example();
    let notice = Body::Notice(Text {
        text: "请来复诊".into(),
        at: now(),
    });
    let error = templates.check(&wang(), &notice).expect_err("no template");
    assert_eq!(error, Unfit::NotConfigured(MessageKind::Notice));
    assert_eq!(
        error.to_string(),
        "no template is configured for messages of this kind (`wechat.templates.notice`)"
    );
    assert_eq!(Limits::Unlimited.check(&wang(), &notice), Ok(()));
    assert!(!Limits::WeChat(templates).fits(&wang(), &notice));
    let none = Templates::compile(&BTreeMap::new(), "").expect("no templates are no error");
    assert!(!none.fits(&wang(), &notice));
}

#[test]
fn a_broken_template_is_named_by_its_key() {
    let rows: &[(&str, &str, &str)] = &[
        ("thing1", "{{ patient", "line 1: "),
        ("thing1", "{{ patient }\n", "line 1: "),
        ("thing1", "一\n二\n{% if late %}三", "line 3: "),
        (
            "thing1",
            "{{ name }}",
            "there is no variable `name` in messages of this kind; there are patient, medications, names, at, note, late, count, clinic",
        ),
        (
            "thing1",
            "{{ question }}",
            "there is no variable `question`",
        ),
        ("thing1", "{{ patient | shout }}", "shout"),
        ("thing1", "{{ patient.surname }}", "undefined"),
        (
            "thing1",
            "{% if late %}{{ count + note }}{% endif %}",
            "line 1: ",
        ),
        (
            "thing",
            "{{ patient }}",
            "no known kind of keyword: a kind (thing, short_thing, character_string, number, letter, symbol, time, date, amount, phone_number, car_number, name, phrase, const, enum) and a number",
        ),
        ("thingy1", "{{ patient }}", "no known kind of keyword"),
        (
            "thing1.DATA",
            "{{ patient }}",
            "write `thing1`, without `.DATA`",
        ),
    ];
    for (field, source, message) in rows {
        let config = config(MessageKind::Dose, &[(field, source)]);
        let Err(errors) = Templates::compile(&config, "") else {
            panic!("{source} compiles")
        };
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].key, format!("wechat.templates.dose.data.{field}"));
        assert!(
            errors[0].message.contains(message),
            "{source}: {}",
            errors[0].message
        );
    }
}

#[test]
fn all_errors_of_all_templates_are_told_at_once() {
    let mut config = config(
        MessageKind::Dose,
        &[("thing1", "{{ x }}"), ("thing2", "{{ y }}")],
    );
    config.insert(
        MessageKind::CheckIn,
        TemplateConfig {
            id: "two words".into(),
            data: BTreeMap::new(),
        },
    );
    let Err(errors) = Templates::compile(&config, "") else {
        panic!("compiles")
    };
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "wechat.templates.dose.data.thing1",
            "wechat.templates.dose.data.thing2",
            "wechat.templates.check_in.id",
            "wechat.templates.check_in.data",
        ]
    );
}

#[test]
fn templates_are_read_from_the_configuration_as_it_is_written() {
    let text = r#"
        [dose]
        id = "dose-1"
        [dose.data]
        thing1 = "{{ patient }}"
        [check_in]
        id = "check-in-1"
        [check_in.data]
        thing1 = "{{ question }}"
    "#;
    let config: TemplatesConfig = toml::from_str(text).expect("templates");
    assert_eq!(config[&MessageKind::CheckIn].id, "check-in-1");
    assert!(Templates::compile(&config, "").is_ok());
}

proptest! {
    #[test]
    fn what_fits_is_sent_whole_and_what_is_sent_is_what_the_fields_take(
        name in "\\PC{0,12}",
        labels in proptest::collection::vec(("\\PC{0,12}", "\\PC{0,4}", 0i64..2000), 1..4),
        openid in "[a-zA-Z0-9_\"\\\\-]{0,40}",
        late: bool,
    ) {
        let templates = example();
        let addressee = Addressee { name, ..wang() };
        let mut doses: Vec<DoseLine> = labels
            .iter()
            .map(|(label, amount, minute)| DoseLine { amount: amount.clone(), ..at_minute(label, *minute) })
            .collect();
        doses.sort_by_key(|dose| dose.due);
        let body = Body::Dose(doses.clone());
        let sent_at = if late { now() + SignedDuration::from_hours(48) } else { now() };
        let message = Outgoing {
            id: MessageId([9; 16]), address: &openid, addressee: &addressee, body: &body, link: None, now: sent_at,
            permit: &Permit::always(),
        };
        let fits = templates.fits(&addressee, &body);
        let request = templates.request(&message);
        prop_assert_eq!(fits, request.is_ok());
        prop_assert_eq!(fits, templates.check(&addressee, &body).is_ok());
        if let Ok(bytes) = request {
            let sent: wire::TemplateSend = serde_json::from_slice(&bytes).expect("the wire's form");
            prop_assert_eq!(&sent.touser, &openid);
            for dose in &doses {
                let medications = &sent.data["thing2"].value;
                prop_assert!(medications.contains(&dose.label), "never truncated");
                prop_assert!(medications.contains(&dose.amount), "never truncated");
            }
            for (field, value) in &sent.data {
                let kind = keyword::Kind::of(field).expect("a keyword");
                prop_assert_eq!(kind.check(&value.value), Ok(()));
            }
        }
    }
}
