//! Answers that are words: yes or no, and choices.

use super::super::numeral::numeral;
use super::super::writing::{Writing, is_ideograph, squeezed};
use super::{Answer, Value};

const YES: &[&str] = &[
    "是",
    "是的",
    "有",
    "有的",
    "对",
    "对的",
    "嗯",
    "嗯嗯",
    "恩",
    "会",
    "是啊",
    "是呀",
    "对啊",
    "有啊",
    "有点",
    "有一点",
    "有一点点",
    "有点儿",
    "有些",
    "有一些",
    "确实",
    "确实有",
    "yes",
    "yep",
    "yeah",
    "y",
    "yup",
    "ya",
    "yea",
    "yes i do",
    "yes i did",
    "yes i have",
    "i do",
    "i did",
    "i have",
    "sure",
    "a little",
    "a bit",
    "a little bit",
    "of course",
    "correct",
    "right",
    "系",
    "系啊",
    "没错",
    "有哦",
    "有呢",
    "是哦",
    "yess",
    "yes a little",
    "yes a bit",
    "可以",
    "要",
    "sometimes yes",
    "indeed",
    "做了",
    "是滴",
];
const NO: &[&str] = &[
    "没有",
    "没",
    "无",
    "不",
    "不是",
    "否",
    "不会",
    "没有的",
    "都没有",
    "没有啊",
    "没有呢",
    "没有哦",
    "没啊",
    "不是的",
    "一点没有",
    "一点都没有",
    "没呢",
    "从来没有",
    "还没有",
    "还没",
    "no",
    "nope",
    "nah",
    "n",
    "none",
    "never",
    "not at all",
    "no i don't",
    "no i dont",
    "no i haven't",
    "no i didn't",
    "not really",
    "i don't",
    "i dont",
    "nothing",
    "冇",
    "唔系",
    "木有",
    "没得",
    "not",
    "no not at all",
    "nop",
    "不有",
    "没有没有",
    "noo",
    "i haven't",
    "i didn't",
    "haven't",
    "didn't",
    "没做",
    "不可以",
    "不要",
];
const POLITE: &[&str] = &[
    "谢谢",
    "医生",
    "谢谢医生",
    "谢谢您",
    "的",
    "啊",
    "哦",
    "呢",
    "thanks",
    "thank you",
    "doctor",
    "哈",
    "呀",
    "了",
    "今天",
    "today",
    "也",
    "我",
];

/// Yes or no, or the question's own words back.
pub(super) fn yes_or_no(text: &str, question: &str) -> Answer {
    let key = |text: &str| -> String { squeezed(text).into_iter().collect() };
    let said = key(text);
    if Writing::of(text).characters().contains(&'?') {
        return Answer::None;
    }
    let asked = key(question);
    let mut stripped = said.clone();
    for _ in 0..2 {
        for polite in POLITE {
            let polite = key(polite);
            if let Some(rest) = stripped
                .strip_suffix(&polite)
                .or_else(|| stripped.strip_prefix(&polite))
                && !rest.is_empty()
            {
                stripped = rest.to_owned();
            }
        }
    }
    // "是，有点晕": each part says the same.
    let mut parts = text
        .split([',', '，', '。', ';', '；', '!', '！', '、'])
        .filter(|part| !squeezed(part).is_empty());
    if let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next())
        && let (Answer::Value(first), Answer::Value(second)) =
            (yes_or_no(first, question), yes_or_no(second, question))
        && first == second
    {
        return Answer::Value(first);
    }
    let listed = |words: &[&str], text: &str| words.iter().any(|word| key(word) == text);
    for text in [&said, &stripped] {
        if listed(YES, text) {
            return Answer::Value(Value::Bool(true));
        }
        if listed(NO, text) {
            return Answer::Value(Value::Bool(false));
        }
    }
    // "没有头晕", "不疼", "头疼" repeat the question's own words.
    let echoes = |rest: &str| {
        rest.chars()
            .any(|c| is_ideograph(c) || c.is_ascii_alphabetic())
            && asked.contains(rest)
    };
    let prefixed = |words: &[&str]| {
        words.iter().any(|word| {
            stripped
                .strip_prefix(key(word).as_str())
                .is_some_and(|rest| rest.chars().count() >= 1 && echoes(rest))
        })
    };
    if prefixed(NO) || stripped.strip_prefix('不').is_some_and(echoes) {
        return Answer::Value(Value::Bool(false));
    }
    if prefixed(YES) {
        return Answer::Value(Value::Bool(true));
    }
    let predicate = ["吗", "么", "没有"]
        .iter()
        .any(|mark| asked.contains(&format!("{stripped}{mark}")));
    if predicate && stripped.chars().count() >= 1 && !stripped.is_empty() {
        return Answer::Value(Value::Bool(true));
    }
    word_malformed(&said)
}

/// A short word where a word was asked for; politeness, numbers and sentences are something else.
fn word_malformed(said: &str) -> Answer {
    const SAYING: &[&str] = &[
        "好的",
        "收到",
        "谢谢",
        "ok",
        "okay",
        "thanks",
        "知道了",
        "嗯",
        "hi",
        "hello",
        "你好",
        "later",
        "wait",
        "等",
    ];
    let ideographs = said.chars().filter(|c| is_ideograph(*c)).count();
    let digits = said.chars().filter(char::is_ascii_digit).count();
    // A value of something else, with words beside it.
    let mixed = digits > 0 && digits < said.chars().count();
    let short = !mixed && ideographs <= 5 && said.chars().count() <= 10 && !said.is_empty();
    let dose = is_about_dose(said)
        || ["退订", "停", "取消", "别发", "stop", "unsub"]
            .iter()
            .any(|word| said.contains(word));
    let saying = SAYING
        .iter()
        .any(|word| said == *word || ideographs > 0 && said.starts_with(word));
    if short && !dose && !saying {
        Answer::Malformed
    } else {
        Answer::None
    }
}

/// Whether words are about a medicine.
pub(super) fn is_about_dose(said: &str) -> bool {
    [
        "吃", "药", "服药", "服用", "服了", "没服", "已服", "took", "take", "taken", "done",
        "pill", "skip", "忘",
    ]
    .iter()
    .any(|word| said.contains(word))
}

/// One of the words offered, or its number.
pub(super) fn one_of(text: &str, choices: &[String], dose_open: bool) -> Answer {
    let key = |text: &str| -> String { squeezed(text).into_iter().collect() };
    let said = key(text);
    if Writing::of(text).characters().contains(&'?') {
        return Answer::None;
    }
    let mut stripped = vec![said.clone()];
    for word in [
        "选",
        "我选",
        "感觉",
        "我感觉",
        "觉得",
        "今天",
        "我",
        "i feel",
        "feeling",
        "feel",
        "i'm",
        "it's",
        "i am",
        "it is",
        "选择",
        "回复",
        "今天感觉",
        "答",
        "是",
        "答案",
        "today",
    ] {
        if let Some(rest) = said.strip_prefix(key(word).as_str()) {
            stripped.push(rest.to_owned());
        }
    }
    for word in [
        "吧",
        "的",
        "了",
        "啊",
        "哦",
        "呢",
        "谢谢",
        "thanks",
        "today",
        "谢谢医生",
    ] {
        if let Some(rest) = said.strip_suffix(key(word).as_str()) {
            stripped.push(rest.to_owned());
        }
    }
    if let Some(choice) = choices
        .iter()
        .find(|choice| stripped.contains(&key(choice)))
    {
        return Answer::Value(Value::Choice(choice.clone()));
    }
    let numbered = choices.iter().any(|choice| {
        choice.chars().any(|c| c.is_ascii_digit()) || {
            let choice = squeezed(choice);
            numeral(&choice, 0).is_some_and(|number| number.length == choice.len())
        }
    });
    if !numbered && !dose_open {
        let bare = said.trim_start_matches('第').trim_end_matches(['个', '项']);
        let characters: Vec<char> = bare.chars().collect();
        if let Some(number) = numeral(&characters, 0)
            && number.length == characters.len()
            && let Some(whole) = number.whole()
        {
            return match (whole as usize)
                .checked_sub(1)
                .and_then(|index| choices.get(index))
            {
                Some(choice) => Answer::Value(Value::Choice(choice.clone())),
                None => Answer::Malformed,
            };
        }
    }
    word_malformed(&said)
}
