//! One contact for several patients, and caregivers.

use super::*;

fn mother() -> World {
    let (one, two) = (med("A", "08:00"), med("B", "08:00"));
    World::of(&[("Ming", &one), ("Lan", &two)])
}

#[test]
fn a_mother_of_two_is_asked_whose_it_is() {
    let mut world = mother();
    world.run("02 08:05");
    assert_eq!(world.says("1"), ["which? 1) Ming 08:00 A, 2) Lan 08:00 B"]);
    assert_eq!(world.says("2"), ["taken 08:00 B"]);
    assert_eq!(world.closed(0), NOTHING);
    assert_eq!(world.closed(1), ["B 02 08:00 taken"]);
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
}

#[test]
fn of_two_patients_a_closed_dose_is_corrected_only_where_it_is_clear_whose() {
    for text in ["吃了", "1"] {
        let mut world = mother();
        world.run("02 15:00");
        let one = world.closed(0);
        let which = ["which? 1) Ming 08:00 A, 2) Lan 08:00 B"];
        assert_eq!(world.says(text), which, "{text}");
        assert_eq!(world.says("2"), ["taken 08:00 B"], "{text}");
        assert_eq!(world.closed(0), one, "{text}");
    }
    // What is so of one says nothing of the other.
    let (one, two) = (med("A", "08:00"), med("B", "08:30"));
    let mut world = World::of(&[("Ming", &one), ("Lan", &two)]);
    world.run("02 08:35");
    assert_eq!(world.says("Lan taken"), ["taken 08:30 B"]);
    world.run("02 15:00");
    let which = ["which? 1) Ming 08:00 A, 2) Lan 08:30 B"];
    assert_eq!(world.says("吃了"), which);
    // A name that is known says whose, of the same medicine, too.
    let amoxicillin = med("Amoxicillin", "08:00");
    let check_in = "[[check_in]]\nask = \"Q?\"\nanswer = \"yes or no\"\nat = \"15:00\"\n";
    let asked = amoxicillin.clone() + check_in;
    let mut world = World::of(&[("Ming", &amoxicillin), ("Lan", &asked)]);
    world.run("02 08:05");
    assert_eq!(world.says("Lan taken"), ["taken 08:00 Amoxicillin"]);
    world.run("02 15:05");
    let missed = world.closed(0);
    world.says("Lan took the amoxicillin");
    assert_eq!(world.closed(0), missed);
}

#[test]
fn a_mother_of_two_may_say_all_or_whose() {
    let mut world = mother();
    world.run("02 08:05");
    world.says("吃了");
    assert_eq!(world.says("都"), ["taken 08:00 A", "taken 08:00 B"]);
    let mut world = mother();
    world.run("02 08:05");
    assert_eq!(world.says("Lan taken"), ["taken 08:00 B"]);
    assert_eq!(world.closed(0), NOTHING);
}

#[test]
fn of_two_patients_free_words_and_red_flags_are_in_both_files() {
    let mut world = mother();
    world.run("02 08:05");
    assert_eq!(world.says("we are at the sea"), ["passed on"]);
    assert_eq!(world.says("胸痛"), ["red flag"]);
    for patient in 0..2 {
        assert_eq!(world.kept(patient), ["we are at the sea", "!胸痛"]);
    }
}

#[test]
fn a_caregiver_who_answers_closes_the_dose_and_is_named() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.patients[0].role = Teller::Caregiver("Lei".to_owned());
    world.run("02 08:05");
    assert_eq!(world.says("吃了"), ["taken 08:00 A"]);
    let Some(Entry::DoseClosed(dose)) = world.patients[0].shell.journal.last() else {
        panic!("the dose is closed")
    };
    let by = &dose.answer.as_ref().unwrap().by;
    assert_eq!(*by, Teller::Caregiver("Lei".to_owned()));
}

#[test]
fn a_caregiver_who_does_not_answer_closes_nothing_and_is_heard_all_the_same() {
    let plan = "[[check_in]]\nask = \"Q?\"\nanswer = \"blood pressure\"\nat = \"08:00\"\n\
                [[medication]]\nname = \"Ibuprofen\"\ntake = \"1\"\nas_needed = \"pain\"\n";
    let mut world = World::of(&[("W", &format!("{plan}{}", med("A", "08:00")))]);
    world.patients[0].role = Teller::Caregiver("Lei".to_owned());
    world.patients[0].answers = false;
    world.run("02 08:05");
    for text in ["1", "吃了", "130/85", "took ibuprofen", "A taken"] {
        world.says(text);
    }
    assert_eq!(world.closed(0), NOTHING);
    assert_eq!(world.answered(0), NOTHING);
    assert_eq!(world.kept(0).len(), 5);
    assert_eq!(world.says("胸痛"), ["red flag"]);
}

#[test]
fn a_caregivers_stop_is_their_own() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.patients[0].role = Teller::Caregiver("Lei".to_owned());
    world.run("02 08:05");
    assert_eq!(world.says("停止"), ["stopped"]);
    let journal = &world.patients[0].shell.journal;
    assert!(!journal.iter().any(|it| matches!(it, Entry::Wrote { .. })));
    let told = world.patients[0].shell.run_accepting(at("02 10:00"));
    assert_eq!(
        told.len(),
        2,
        "the patient is nudged all the same: {told:?}"
    );
}

#[test]
fn whoever_is_a_patient_and_cares_for_another_answers_for_both() {
    let mut world = mother();
    world.patients[1].role = Teller::Caregiver("Ming".to_owned());
    world.patients[1].answers = false;
    world.run("02 08:05");
    assert_eq!(world.says("1"), ["taken 08:00 A"], "only one can be meant");
    assert_eq!(world.closed(1), NOTHING);
}
