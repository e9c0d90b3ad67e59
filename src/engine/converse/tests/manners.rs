//! Consent, stop and start, following, free words, strangers.

use super::*;

#[test]
fn free_words_are_acknowledged_once_an_hour() {
    let mut world = World::taking(&[("A", "20:00")]);
    world.run("02 09:00");
    assert_eq!(world.says("a question about my knee"), ["passed on"]);
    world.run("02 09:59");
    assert_eq!(world.says("and my hip"), NOTHING);
    world.run("02 10:00");
    assert_eq!(world.says("and my toe"), ["passed on"]);
    assert_eq!(world.kept(0).len(), 3, "all of it is kept");
}

#[test]
fn out_of_hours_is_said_so() {
    let mut world = World::taking(&[("A", "20:00")]);
    world.is_open = false;
    world.run("02 09:00");
    assert_eq!(world.says("a question about my knee"), ["out of hours"]);
    // An answer is an answer at any hour.
    world.run("02 20:05");
    assert_eq!(world.says("1"), ["taken 20:00 A"]);
}

#[test]
fn a_picture_is_kept_by_its_kind_and_its_id() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    let image = Heard::Media {
        kind: "image",
        id: "m1",
    };
    assert_eq!(world.hear(image), ["passed on"]);
    assert_eq!(world.kept(0), ["[image m1]"]);
    assert_eq!(world.closed(0), NOTHING);
    assert!(world.conversation.window.is_open(world.now));
}

#[test]
fn stop_stops_and_start_starts() {
    let mut world = World::taking(&[("A", "08:00, 12:00, 20:00")]);
    world.run("02 08:05");
    for text in ["停止", "stop", "退订"] {
        assert_eq!(world.says(text), ["stopped"], "{text}");
        assert_eq!(
            world.conversation.bars(),
            Some(ExpiredReason::ConsentWithdrawn)
        );
        assert_eq!(world.says("开始"), ["started"]);
        assert_eq!(world.conversation.bars(), None);
    }
    // One who has not stopped is told the same.
    assert_eq!(world.says("START"), ["started"]);
}

#[test]
fn after_a_stop_nothing_medical_is_spoken_of() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    world.says("停止");
    assert_eq!(world.says("吃了"), ["passed on"]);
    assert_eq!(world.kept(0), ["吃了"]);
    assert_eq!(world.says("胸痛"), ["red flag"]);
}

#[test]
fn before_consent_nothing_medical_is_spoken_of_and_it_is_asked_for_again() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:00")]);
    world.conversation.consent = Consent::NotAsked;
    world.conversation.following = false;
    world.run("02 08:05");
    assert_eq!(world.hear(Heard::Followed), ["consent?"]);
    assert_eq!(world.conversation.consent, Consent::Asked);
    for text in ["1", "吃了", "A taken"] {
        let told = world.says(text);
        assert!(
            told.iter().all(|it| it == "passed on" || it == "consent?"),
            "{told:?}"
        );
    }
    assert_eq!(world.closed(0), NOTHING);
    world.run("02 09:30");
    assert_eq!(world.says("好的"), ["passed on", "consent?"]);
    assert_eq!(world.says("开始"), ["consent?"]);
    for text in ["同意", "我同意。", " Agree! "] {
        world.conversation.consent = Consent::Asked;
        assert_eq!(world.says(text), ["consent"], "{text}");
        assert_eq!(
            world.conversation.consent,
            Consent::Given {
                version: "c0ffee".to_owned(),
                at: world.now
            }
        );
    }
    assert_eq!(world.says("1"), ["taken 08:00 A+B"]);
}

#[test]
fn words_that_only_hold_the_consent_are_none() {
    for (text, left) in [
        ("不同意", Consent::Declined),
        ("I do not agree", Consent::Declined),
        ("同意吗", Consent::Asked),
        ("我不同意", Consent::Declined),
        ("disagree", Consent::Declined),
        ("同意 1", Consent::Asked),
    ] {
        let mut world = World::taking(&[("A", "08:00")]);
        world.conversation.consent = Consent::Asked;
        world.says(text);
        assert_eq!(world.conversation.consent, left, "{text}");
    }
    // Nor are the right words where nobody asked.
    let mut world = World::taking(&[("A", "08:00")]);
    world.conversation.consent = Consent::NotAsked;
    world.says("同意");
    assert!(!world.conversation.consent.is_given());
}

#[test]
fn stop_before_consent_holds_until_start_and_consent() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.conversation.consent = Consent::Asked;
    assert_eq!(world.says("停止"), ["stopped"]);
    assert_eq!(world.says("开始"), ["consent?"]);
    assert_eq!(world.conversation.stopped_at, None);
    assert_eq!(world.conversation.bars(), Some(ExpiredReason::NotEnrolled));
    assert_eq!(world.says("停止"), ["stopped"]);
    assert_eq!(world.says("同意"), ["consent"]);
    assert_eq!(world.conversation.bars(), None, "whoever agrees wants it");
}

#[test]
fn who_follows_no_more_is_out_of_reach_until_they_are_back() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:40");
    world.says("1");
    assert!(world.conversation.asked.is_some());
    assert_eq!(world.hear(Heard::Unfollowed), NOTHING);
    assert_eq!(world.conversation.bars(), Some(ExpiredReason::Unreachable));
    assert_eq!(world.conversation.asked, None);
    assert!(!world.conversation.window.is_open(world.now));
    assert_eq!(world.hear(Heard::Followed), ["started"]);
    assert_eq!(world.conversation.bars(), None);
    assert!(world.conversation.window.is_open(world.now));
    // A stop outlives an absence.
    world.says("停止");
    world.hear(Heard::Unfollowed);
    assert_eq!(world.hear(Heard::Followed), NOTHING);
    assert_eq!(
        world.conversation.bars(),
        Some(ExpiredReason::ConsentWithdrawn)
    );
}

#[test]
fn a_stranger_is_welcomed_once_an_hour_and_what_they_write_is_kept_for_the_clinic() {
    let mut world = World::of(&[]);
    assert_eq!(world.hear(Heard::Followed), ["welcome"]);
    assert_eq!(world.says("你好"), ["welcome"]);
    assert_eq!(world.says("1"), NOTHING);
    assert_eq!(world.says("开始"), ["welcome"], "there is nothing to start");
    assert_eq!(world.says("停止"), ["stopped"]);
    assert_eq!(world.says("胸痛"), ["red flag"]);
    assert_eq!(world.strangers, ["[follow]", "你好", "1", "! 胸痛"]);
}

#[test]
fn a_tap_in_the_menu_opens_the_channel_for_a_minute_and_says_nothing() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    assert_eq!(world.hear(Heard::Acted), NOTHING);
    assert!(world.conversation.window.is_open(world.now));
    assert!(!world.conversation.window.is_open(world.now + minutes(1)));
    world.says("hello there doctor");
    assert!(
        world
            .conversation
            .window
            .is_open(world.now + minutes(47 * 60))
    );
    assert!(
        !world
            .conversation
            .window
            .is_open(world.now + minutes(48 * 60))
    );
}

#[test]
fn whoever_declines_is_not_asked_again_and_may_still_agree() {
    for words in ["不同意", "No, thanks.", "I don\u{2019}t agree"] {
        let mut world = World::taking(&[("A", "20:00")]);
        world.conversation.consent = Consent::Asked;
        world.run("02 09:00");
        assert_eq!(world.says(words), ["consent declined"], "{words}");
        assert_eq!(
            world.conversation.bars(),
            Some(ExpiredReason::ConsentWithdrawn)
        );
        let noted = Entry::ReachChanged {
            why: ReachChange::Declined,
            barred: None,
        };
        assert!(world.patients[0].shell.journal.contains(&noted));
        assert_eq!(world.says("a question about my knee"), ["passed on"]);
        assert_eq!(world.says("胸痛"), ["red flag"]);
        assert_eq!(world.says("同意"), ["consent"]);
        assert_eq!(world.conversation.bars(), None);
    }
    // Only where it was asked for.
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    world.says("不");
    assert_eq!(world.conversation.consent, Consent::Attested);
}

#[test]
fn whoever_is_heard_may_be_told_of_others_again() {
    for heard in [
        Heard::Words("hello"),
        Heard::Acted,
        Heard::Followed,
        Heard::Media {
            kind: "voice",
            id: "m",
        },
    ] {
        let mut world = World::taking(&[("A", "08:00")]);
        world.conversation.refuses = true;
        world.hear(heard);
        assert!(!world.conversation.refuses, "{heard:?}");
    }
    let mut world = World::taking(&[("A", "08:00")]);
    world.conversation.refuses = true;
    world.hear(Heard::Unfollowed);
    assert!(world.conversation.refuses);
}

#[test]
fn a_tapped_answer_is_an_answer_and_opens_the_channel_for_a_minute_only() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    assert_eq!(world.hear(Heard::Tapped("1")), ["taken 08:00 A"]);
    assert!(world.conversation.window.is_open(world.now));
    let later = world.now + minutes(1);
    assert!(!world.conversation.window.is_open(later));
}

#[test]
fn who_stands_in_a_patients_place_stops_starts_and_consents_for_the_patient() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.patients[0].role = Teller::Caregiver("Lei".to_owned());
    world.conversation.consent = Consent::Asked;
    world.run("02 08:05");
    world.says("同意");
    world.says("停止");
    world.says("开始");
    world.hear(Heard::Unfollowed);
    world.hear(Heard::Followed);
    let journal = world.patients[0].shell.journal.iter();
    let reach = journal.filter_map(|it| match it {
        Entry::ReachChanged { why, .. } => Some(why.name()),
        _ => None,
    });
    let expected = ["consented", "stopped", "started", "unfollowed", "followed"];
    assert_eq!(reach.collect::<Vec<_>>(), expected);
}
