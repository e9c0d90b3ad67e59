//! The words of the page, in each language.

use crate::plan::Language;

/// All that the page says of itself.
pub struct Words {
    /// The tag of their language.
    pub language: Language,
    /// The page's title.
    pub title: &'static str,
    /// Nothing waits.
    pub nothing: &'static str,
    /// Heading of doses due, behind the time.
    pub due: &'static str,
    /// Of one dose.
    pub taken: &'static str,
    /// Of several at once.
    pub all_taken: &'static str,
    /// To be reminded of in the usual time.
    pub later: &'static str,
    /// In an hour.
    pub later_hour: &'static str,
    /// In two.
    pub later_two_hours: &'static str,
    /// Opens the reasons.
    pub skip: &'static str,
    /// Asks for a reason.
    pub why: &'static str,
    /// Reasons that are often given.
    pub reasons: [&'static str; 4],
    /// Another reason, in words.
    pub other: &'static str,
    /// Notes that it is left out.
    pub skipped: &'static str,
    /// Opens what is needed more rarely.
    pub more: &'static str,
    /// Label of the time.
    pub taken_at: &'static str,
    /// Notes that it was taken then.
    pub taken_then: &'static str,
    /// Notes that it is not taken.
    pub not_taken: &'static str,
    /// Behind the time at which it is reminded of again.
    pub reminded_again: &'static str,
    /// The patient has said that it is not taken yet.
    pub said_not_taken: &'static str,
    /// Yes.
    pub yes: &'static str,
    /// No.
    pub no: &'static str,
    /// Label of the upper of a blood pressure.
    pub upper: &'static str,
    /// Label of the lower.
    pub lower: &'static str,
    /// Label of an answer.
    pub answer: &'static str,
    /// Sends an answer.
    pub send: &'static str,
    /// Heading of medicines taken as needed.
    pub as_needed: &'static str,
    /// In front of when it was taken last.
    pub last: &'static str,
    /// Notes that one was taken.
    pub took_one: &'static str,
    /// In front of the time from which on it is allowed.
    pub not_before: &'static str,
    /// Behind it.
    pub not_before_end: &'static str,
    /// No more of it is allowed.
    pub no_more: &'static str,
    /// Opens the button all the same.
    pub took_one_anyway: &'static str,
    /// Heading of what the clinic said.
    pub advice: &'static str,
    /// Heading of what is still to come.
    pub ahead: &'static str,
    /// Heading of what is closed.
    pub closed: &'static str,
    /// A state.
    pub is_taken: &'static str,
    /// A state.
    pub is_skipped: &'static str,
    /// A state: no answer came.
    pub is_missed: &'static str,
    /// A state: the reminder did not come.
    pub is_expired: &'static str,
    /// Opens a correction.
    pub change: &'static str,
    /// Shows the page anew.
    pub refresh: &'static str,
    /// In front of the number to ring.
    pub emergency: &'static str,
    /// Says that what follows is noted.
    pub noted: &'static str,
    /// Nothing was noted: the form is old.
    pub old: &'static str,
    /// Nothing was noted: it cannot be answered any more.
    pub not_open: &'static str,
    /// Nothing was noted: the answer cannot be read.
    pub unreadable: &'static str,
    /// Nothing was noted: too many words.
    pub too_long: &'static str,
    /// Nothing was noted: it cannot have been then.
    pub not_then: &'static str,
}

/// The words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::ZhCn => &CHINESE,
        Language::En => &ENGLISH,
    }
}

static CHINESE: Words = Words {
    language: Language::ZhCn,
    title: "我的用药",
    nothing: "现在没有要回答的。",
    due: "该服的药",
    taken: "已服",
    all_taken: "全部已服",
    later: "半小时后再提醒",
    later_hour: "一小时后再提醒",
    later_two_hours: "两小时后再提醒",
    skip: "这次不服…",
    why: "为什么不服？",
    reasons: ["身体不舒服", "药没有了", "医生让停的", "不方便"],
    other: "其他原因（可不填）",
    skipped: "记下：这次不服",
    more: "更多…",
    taken_at: "几点服的",
    taken_then: "记下：那时服的",
    not_taken: "还没有服",
    reminded_again: "再提醒您",
    said_not_taken: "您说过还没有服",
    yes: "是",
    no: "否",
    upper: "高压",
    lower: "低压",
    answer: "您的回答",
    send: "发送",
    as_needed: "需要时才用的药",
    last: "上次：",
    took_one: "我用了一次",
    not_before: "请在 ",
    not_before_end: " 以后再用",
    no_more: "今天不能再用了",
    took_one_anyway: "我已经用了…",
    advice: "医生的话",
    ahead: "今天还有",
    closed: "已经记录",
    is_taken: "已服",
    is_skipped: "没有服（您说不服）",
    is_missed: "没有回答",
    is_expired: "没有提醒到",
    change: "更改…",
    refresh: "刷新",
    emergency: "急事请打电话：",
    noted: "已记录",
    old: "这一页是旧的，刚才的没有记录。下面是现在的情况，请再点一次。",
    not_open: "刚才的没有记录：这一项已经不需要回答了。下面是现在的情况。",
    unreadable: "刚才的没有记录，因为没有看懂。",
    too_long: "刚才的没有记录：字太多了，请写短一些，最多500字。",
    not_then: "刚才的没有记录：这个时间不对，请写像 08:05 这样的时间，不能晚于现在。",
};

static ENGLISH: Words = Words {
    language: Language::En,
    title: "My medicines",
    nothing: "Nothing waits for an answer now.",
    due: "due",
    taken: "Taken",
    all_taken: "All taken",
    later: "Remind me in half an hour",
    later_hour: "Remind me in an hour",
    later_two_hours: "Remind me in two hours",
    skip: "Not this time…",
    why: "Why not?",
    reasons: [
        "I do not feel well",
        "I have run out",
        "The doctor told me to stop",
        "It is not convenient",
    ],
    other: "Another reason (may stay empty)",
    skipped: "Note: not this time",
    more: "More…",
    taken_at: "Taken at",
    taken_then: "Note: taken then",
    not_taken: "Not taken yet",
    reminded_again: "you will be reminded again",
    said_not_taken: "You said that it is not taken yet",
    yes: "Yes",
    no: "No",
    upper: "Upper",
    lower: "Lower",
    answer: "Your answer",
    send: "Send",
    as_needed: "Medicines for when you need them",
    last: "Last: ",
    took_one: "I took one",
    not_before: "Not again before ",
    not_before_end: "",
    no_more: "No more of it now",
    took_one_anyway: "I have taken one…",
    advice: "From your doctor",
    ahead: "Later today",
    closed: "Noted so far",
    is_taken: "taken",
    is_skipped: "left out, as you said",
    is_missed: "no answer",
    is_expired: "no reminder reached you",
    change: "Change…",
    refresh: "Refresh",
    emergency: "If it cannot wait, ring ",
    noted: "Noted",
    old: "This page was old: nothing was noted just now. Below is how things stand; please press again.",
    not_open: "Nothing was noted just now: that needs no answer any more. Below is how things stand.",
    unreadable: "Nothing was noted just now: it could not be understood.",
    too_long: "Nothing was noted just now: too many words. Please write at most 500 letters.",
    not_then: "Nothing was noted just now: the time does not fit. Please write a time like 08:05 that is not later than now.",
};

/// Title and sentences of what is said where no patient is known, in both languages.
pub type Plain = [(Language, &'static str, &'static str); 2];

/// A link that opens nothing.
pub const NO_PAGE: Plain = [
    (
        Language::ZhCn,
        "这个链接打不开了",
        "它可能过期了，或者不完整。请回到微信对话里直接回复，或者点下一条提醒。",
    ),
    (
        Language::En,
        "This link does not open",
        "It may be out of date, or incomplete. Please go back to the chat and answer there, or tap \
         the next reminder.",
    ),
];

/// The page cannot be shown.
pub const NOT_SHOWN: Plain = [
    (
        Language::ZhCn,
        "现在打不开",
        "诊所的系统暂时有问题。请过几分钟再试，或者回到微信对话里直接回复。",
    ),
    (
        Language::En,
        "The page cannot be shown now",
        "The clinic's system has a problem. Please try again in some minutes, or go back to the \
         chat and answer there.",
    ),
];

/// It is not known that an answer was noted.
pub const NOT_NOTED: Plain = [
    (
        Language::ZhCn,
        "刚才的可能没有记录",
        "请过几分钟再打开这一页看一看；如果没有记录，请再点一次，或者回到微信对话里直接回复。",
    ),
    (
        Language::En,
        "Your answer may not be noted",
        "Please open this page again in some minutes. If it does not show your answer, press again, \
         or go back to the chat and answer there.",
    ),
];
