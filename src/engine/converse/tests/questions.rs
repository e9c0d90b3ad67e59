//! Check-ins: values, hints, late answers, several at once.

use super::*;

fn question(id: &str, ask: &str, answer: &str, at: &str) -> String {
    format!("[[check_in]]\nid = \"{id}\"\nask = \"{ask}\"\nanswer = \"{answer}\"\nat = \"{at}\"\n")
}

#[test]
fn a_question_is_answered_with_its_value() {
    let rows = [
        ("blood pressure", "130/85", "130/85"),
        ("temperature", "36.8", "36.8"),
        ("temperature", "三十八度五", "38.5"),
        ("yes or no", "是", "yes"),
        ("scale 0 to 10", "3", "3"),
        ("one of: good, bad", "bad", "bad"),
        ("text", "a bit dizzy", "a bit dizzy"),
    ];
    for (answer, text, value) in rows {
        let mut world = World::of(&[("W", &question("q", "Q?", answer, "09:00"))]);
        world.run("02 09:05");
        assert_eq!(
            world.says(text),
            [format!("noted Q? {value}")],
            "{answer}: {text}"
        );
        assert_eq!(world.answered(0), [format!("q {value}")]);
    }
}

#[test]
fn an_unreadable_answer_is_hinted_at_once_and_then_passed_on() {
    let mut world = World::of(&[("W", &question("q", "Q?", "blood pressure", "09:00"))]);
    world.run("02 09:05");
    assert_eq!(world.says("9999"), ["unreadable Q?"]);
    assert_eq!(world.kept(0), NOTHING);
    assert_eq!(world.says("9999"), ["passed on"]);
    assert_eq!(world.kept(0), ["9999"]);
    assert_eq!(world.says("130/85"), ["noted Q? 130/85"]);
    assert_eq!(world.conversation.hinted, [], "forgotten with the answer");
}

#[test]
fn hints_are_forgotten_in_the_end() {
    let mut world = World::of(&[("W", &question("q", "Q?", "blood pressure", "09:00"))]);
    for day in 2..25 {
        world.run(&format!("{day:02} 09:05"));
        assert_eq!(world.says("9999"), ["unreadable Q?"], "on day {day}");
    }
    assert!(world.conversation.hinted.len() <= 16);
}

#[test]
fn what_is_said_beside_an_answer_is_for_the_doctor_as_well() {
    let text = question("q", "Q?", "blood pressure", "09:00") + &med("A", "09:00");
    let mut world = World::of(&[("W", &text)]);
    world.run("02 09:05");
    assert_eq!(world.says("172/101，头晕"), ["noted Q? 172/101"]);
    assert_eq!(world.kept(0), ["172/101，头晕"]);
    assert_eq!(world.says("吃了，头有点晕"), ["taken 09:00 A"]);
    assert_eq!(world.kept(0), ["172/101，头晕", "吃了，头有点晕"]);
    world.run("03 09:05");
    assert_eq!(world.says("吃了，谢谢"), ["taken 09:00 A"]);
    assert_eq!(world.says("130/85"), ["noted Q? 130/85"]);
    assert_eq!(world.kept(0).len(), 2, "courtesies are for nobody");
}

#[test]
fn words_that_answer_no_question_go_to_the_doctor() {
    let mut world = World::of(&[("W", &question("q", "Q?", "blood pressure", "09:00"))]);
    world.run("02 09:05");
    assert_eq!(world.says("my son is coming to dinner"), ["passed on"]);
    assert_eq!(world.answered(0), NOTHING);
}

#[test]
fn a_late_answer_is_kept_and_marked() {
    let text = question("q", "Q?", "blood pressure", "09:00");
    let mut world = World::of(&[("W", &text)]);
    // The window of a question is a day at most; the next is asked at nine.
    world.run("03 08:59");
    assert_eq!(world.says("130/85"), ["noted Q? 130/85"]);
    let mut plan = text;
    plan.push_str("days = \"mon\"\n");
    let mut world = World::of(&[("W", &plan)]);
    world.run("03 10:00");
    assert_eq!(world.says("130/85"), ["noted Q? 130/85"]);
    assert_eq!(world.answered(0), ["q 130/85 late"]);
    // Forgotten after two days.
    let mut world = World::of(&[("W", &plan)]);
    world.run("05 10:00");
    assert_eq!(world.says("130/85"), ["passed on"]);
}

#[test]
fn a_question_whose_time_is_over_does_not_take_the_answer_to_a_reminder() {
    let mut plan = question("pain", "Pain, 0 to 10?", "scale 0 to 10", "09:00");
    plan.push_str("days = \"mon\"\n");
    plan.push_str(&med("A", "10:00"));
    let mut world = World::of(&[("W", &plan)]);
    // Tuesday: the question of Monday is over, and today's dose waits.
    world.run("03 10:05");
    assert_eq!(world.says("1"), ["taken 10:00 A"]);
    // With nothing open the number can mean the question alone.
    assert_eq!(world.says("4"), ["noted Pain, 0 to 10? 4"]);
}

#[test]
fn words_are_no_answer_to_a_question_whose_time_is_over_while_another_waits() {
    let mut plan = question("how", "How are you?", "text", "09:00");
    plan.push_str("days = \"mon\"\n");
    plan.push_str(&med("A", "10:00"));
    let mut world = World::of(&[("W", &plan)]);
    world.run("03 10:05");
    assert_eq!(world.says("the pharmacy is closed today"), ["passed on"]);
    assert_eq!(world.answered(0), NOTHING);
}

#[test]
fn a_number_that_fits_a_question_and_a_reminder_is_asked_about() {
    let mut plan = question("pain", "Pain, 0 to 10?", "scale 0 to 10", "08:00");
    plan.push_str(&med("A", "08:00"));
    let mut world = World::of(&[("W", &plan)]);
    world.run("02 08:05");
    let told = world.says("1");
    assert!(told[0].starts_with("which? "), "{told:?}");
    assert_eq!(world.closed(0), NOTHING);
    assert_eq!(world.answered(0), NOTHING);
    // What only one of them can mean is not.
    let mut world = World::of(&[("W", &plan)]);
    world.run("02 08:05");
    assert_eq!(world.says("吃了"), ["taken 08:00 A"]);
    assert_eq!(world.says("7"), ["noted Pain, 0 to 10? 7"]);
}

#[test]
fn of_two_questions_that_a_value_fits_the_number_says_which() {
    let mut plan = question("head", "Headache?", "scale 0 to 10", "09:00");
    plan.push_str(&question("leg", "Leg?", "scale 0 to 10", "09:00"));
    for (number, told) in [
        ("2", "noted Leg? 7"),
        ("１", "noted Headache? 7"),
        ("2。", "noted Leg? 7"),
    ] {
        let mut world = World::of(&[("W", &plan)]);
        world.run("02 09:05");
        assert_eq!(world.says("7"), ["which? 1) Headache?, 2) Leg?"]);
        assert_eq!(world.says(number), [told], "{number}");
    }
}

#[test]
fn a_red_flag_is_never_an_answer() {
    for answer in ["text", "blood pressure", "yes or no"] {
        let mut plan = question("q", "Q?", answer, "08:00");
        plan.push_str(&med("A", "08:00"));
        let mut world = World::of(&[("W", &plan)]);
        world.run("02 08:05");
        for text in ["吃了，但是胸痛", "taken, chest pain", "130/85 胸痛"] {
            assert_eq!(world.says(text), ["red flag"], "{answer}: {text}");
        }
        assert_eq!(world.closed(0), NOTHING);
        assert_eq!(world.answered(0), NOTHING);
        assert_eq!(world.kept(0).len(), 3);
        assert!(world.kept(0).iter().all(|it| it.starts_with('!')));
    }
    // Nor the answer to a list.
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:40");
    world.says("1");
    assert_eq!(world.says("1 胸痛"), ["red flag"]);
    assert_eq!(world.closed(0), NOTHING);
}

#[test]
fn a_medicine_as_needed_is_noted_by_its_name_and_guarded() {
    let plan = "[[medication]]\nname = \"Ibuprofen\"\ntake = \"1 tablet\"\nas_needed = \"pain\"\n\
                at_most = \"2 in 24 hours\"\napart = \"6 hours\"\n";
    let mut world = World::of(&[("W", plan)]);
    world.run("02 08:00");
    assert_eq!(
        world.says("took ibuprofen"),
        ["as needed Ibuprofen 08:00, next 14:00"]
    );
    world.run("02 09:00");
    assert_eq!(world.says("took ibuprofen"), ["too soon Ibuprofen"]);
    assert_eq!(world.closed(0), NOTHING);
}

#[test]
fn a_question_that_is_on_its_way_may_be_answered_and_one_that_waits_may_not() {
    for is_under_way in [true, false] {
        let mut world = World::of(&[("W", &question("q", "Q?", "blood pressure", "09:00"))]);
        let now = at("02 09:00:01");
        let shell = &mut world.patients[0].shell;
        shell.run(now);
        world.now = now;
        let message = shell.only().key.id;
        if is_under_way {
            shell.claim(message);
        }
        let told = if is_under_way {
            "noted Q? 130/85"
        } else {
            "passed on"
        };
        assert_eq!(world.says("130/85"), [told]);
    }
}
