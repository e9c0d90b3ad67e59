//! Entries of a patient's journal as sentences.

use super::naming::Naming;
use crate::engine::{
    About, Adviser, CallReason, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, Millis,
    ReachChange, Recipient, Teller, Value,
};
use crate::plan::Language;

/// An entry as a sentence without a full stop.
#[must_use]
pub fn sentence(entry: &Entry, names: &Naming<'_>) -> String {
    let words = of_doses(entry, names);
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

/// Entries of the plan and of doses.
fn of_doses(entry: &Entry, names: &Naming<'_>) -> String {
    match entry {
        Entry::PlanApplied { version } => names.say(
            format!("Plan version {version} came into force"),
            format!("计划第 {version} 版生效"),
        ),
        Entry::PlanTextChanged { version } => names.say(
            format!("Only the text of the plan changed: version {version}"),
            format!("只改了计划的文字：第 {version} 版"),
        ),
        Entry::PlanEnded => names.say("The plan ended", "计划结束"),
        Entry::DoseClosed(dose) => closed(dose, names),
        Entry::DosesExpired {
            medication,
            amount,
            due,
            reason,
        } => expired(medication, amount, due, *reason, names),
        Entry::DoseReopened { about, by } => names.say(
            format!(
                "{} took an answer back: {} waits again",
                names.teller(by),
                names.doses(std::slice::from_ref(about))
            ),
            format!(
                "{}收回回答：{}重新等待回答",
                names.teller(by),
                names.doses(std::slice::from_ref(about))
            ),
        ),
        Entry::Snoozed { about, until, by } => names.say(
            format!(
                "{} asked to be reminded again at {}: {}",
                names.teller(by),
                names.moment(*until),
                names.doses(about)
            ),
            format!(
                "{}要求 {} 再提醒：{}",
                names.teller(by),
                names.moment(*until),
                names.doses(about)
            ),
        ),
        Entry::SaidNotTaken { about, by } => names.say(
            format!(
                "{} said: not taken (yet): {}",
                names.teller(by),
                names.doses(about)
            ),
            format!("{}说还没服：{}", names.teller(by), names.doses(about)),
        ),
        _ => of_messages(entry, names),
    }
}

fn closed(dose: &ClosedDose, names: &Naming<'_>) -> String {
    let what = names.dose(&dose.medication, &dose.amount, dose.due);
    let state = state_words(names.language, dose.state);
    let mut text = names.say(format!("{what}: {state}"), format!("{what}：{state}"));
    if let Some(reason) = dose.reason {
        text += &names.say(
            format!(" ({})", reason_words(names.language, reason)),
            format!("（{}）", reason_words(names.language, reason)),
        );
    }
    if let Some(answer) = &dose.answer {
        text += &answer_words(dose, answer, names);
    }
    if dose.in_doubt {
        text += &names.say(
            "; whether the reminder arrived is not known",
            "；提醒是否送达不明",
        );
    }
    if dose.corrects {
        text += &names.say("; this corrects what was noted before", "；更正先前的记录");
    }
    text
}

fn answer_words(dose: &ClosedDose, answer: &GivenAnswer, names: &Naming<'_>) -> String {
    let who = names.teller(&answer.by);
    let mut text = names.say(format!(", says {who}"), format!("（{who}）"));
    if let Some(taken_at) = answer.taken_at.filter(|_| dose.state == DoseState::Taken) {
        let at = names.moment(taken_at);
        text += &names.say(format!(", at {at}"), format!("，时间 {at}"));
    }
    if let Some(reason) = &answer.reason {
        text += &names.say(
            format!(", because \"{reason}\""),
            format!("，原因“{reason}”"),
        );
    }
    if answer.late {
        text += &names.say(", after its window", "，超过时间窗才说");
    }
    text
}

fn expired(
    medication: &str,
    amount: &str,
    due: &[Millis],
    reason: ExpiredReason,
    names: &Naming<'_>,
) -> String {
    let why = reason_words(names.language, reason);
    let (Some(first), Some(last)) = (due.first(), due.last()) else {
        return String::new();
    };
    if due.len() == 1 {
        let what = names.dose(medication, amount, *first);
        return names.say(
            format!("{what}: not reminded in time ({why})"),
            format!("{what}：未能按时提醒（{why}）"),
        );
    }
    let name = names.medication(medication);
    let (from, until, count) = (names.moment(*first), names.moment(*last), due.len());
    names.say(
        format!("{count} doses of {name} from {from} to {until}: not reminded in time ({why})"),
        format!("{name}从 {from} 到 {until} 共 {count} 次：未能按时提醒（{why}）"),
    )
}

/// Entries of messages, and of what the channel says of them.
fn of_messages(entry: &Entry, names: &Naming<'_>) -> String {
    match entry {
        Entry::Accepted { at, about, .. } => names.say(
            format!(
                "A message was sent at {}{}",
                names.moment(*at),
                names.of(about)
            ),
            format!("{} 已发送消息{}", names.moment(*at), names.of(about)),
        ),
        Entry::NotAccepted {
            reason: None,
            about,
            ..
        } => names.say(
            format!("Nobody knows whether a message arrived{}", names.of(about)),
            format!("消息是否送达不明{}", names.of(about)),
        ),
        Entry::NotAccepted {
            reason: Some(reason),
            about,
            ..
        } => names.say(
            format!(
                "A message was not sent ({}){}",
                reason_words(names.language, *reason),
                names.of(about)
            ),
            format!(
                "消息未发出（{}）{}",
                reason_words(names.language, *reason),
                names.of(about)
            ),
        ),
        Entry::Delivered { .. } => names.say("A message is on the phone", "消息已到手机"),
        Entry::NotDelivered { reason, about, .. } => names.say(
            format!(
                "A message that had been taken did not arrive ({}){}",
                reason_words(names.language, *reason),
                names.of(about)
            ),
            format!(
                "已被接受的消息没有送达（{}）{}",
                reason_words(names.language, *reason),
                names.of(about)
            ),
        ),
        Entry::SentInWords { .. } => {
            names.say("A message was sent in free words", "消息以普通文字发出")
        }
        Entry::WordsRefused { .. } => names.say(
            "Free words were not taken: the message goes as its template",
            "普通文字未被接受：消息改用模板发送",
        ),
        Entry::Told { to, news, .. } => names.say(
            format!(
                "{} is told: {}",
                names.recipient(to),
                news_words(names.language, news)
            ),
            format!(
                "告知{}：{}",
                names.recipient(to),
                news_words(names.language, news)
            ),
        ),
        Entry::AppointmentNotReminded { what, due, reason } => {
            let why = reason.map_or(
                names.say("the plan was edited", "计划已修改"),
                |reason| reason_words(names.language, reason).to_owned(),
            );
            names.say(
                format!(
                    "Not reminded of \"{what}\" at {} ({why})",
                    names.moment(*due)
                ),
                format!("{} 未提醒“{what}”（{why}）", names.moment(*due)),
            )
        }
        _ => of_questions(entry, names),
    }
}

/// Entries of questions, answers and medicines taken as needed.
#[expect(clippy::too_many_lines, reason = "a list: one arm a sort of entry")]
fn of_questions(entry: &Entry, names: &Naming<'_>) -> String {
    match entry {
        Entry::CheckInAnswered {
            check_in,
            due,
            value,
            late,
            alert,
            by,
        } => {
            let (ask, at) = (names.check_in(check_in), names.moment(*due));
            let value = value_words(names.language, value);
            let who = names.teller(by);
            let mut text = names.say(
                format!("\"{ask}\" ({at}): {value}, says {who}"),
                format!("“{ask}”（{at}）：{value}（{who}）"),
            );
            if *late {
                text += &names.say(", after its window", "，超过时间窗才说");
            }
            if *alert {
                text += &names.say("; to be looked at", "；需要关注");
            }
            text
        }
        Entry::CheckInClosed {
            check_in,
            due,
            reason,
            cancelled,
            ..
        } => {
            let (ask, at) = (names.check_in(check_in), names.moment(*due));
            let what = match (cancelled, reason) {
                (true, _) => names.say("taken back: the plan was edited", "撤回：计划已修改"),
                (false, None) => names.say("no answer", "没有回答"),
                (false, Some(reason)) => {
                    let why = reason_words(names.language, *reason);
                    names.say(format!("not asked ({why})"), format!("没有问到（{why}）"))
                }
            };
            names.say(
                format!("\"{ask}\" ({at}): {what}"),
                format!("“{ask}”（{at}）：{what}"),
            )
        }
        Entry::TakenAsNeeded { medication, at, by } => names.say(
            format!(
                "{} took {} as needed at {}",
                names.teller(by),
                names.medication(medication),
                names.moment(*at)
            ),
            format!(
                "{} 按需服用{}（{}）",
                names.moment(*at),
                names.medication(medication),
                names.teller(by)
            ),
        ),
        Entry::AsNeededTooSoon {
            medication,
            at,
            allowed_from,
            by,
        } => {
            let (name, at, who) = (
                names.medication(medication),
                names.moment(*at),
                names.teller(by),
            );
            let from = allowed_from.map(|from| names.moment(from));
            let next = from.map_or(
                names.say("not allowed by the plan", "计划不允许"),
                |from| {
                    names.say(
                        format!("allowed from {from} on"),
                        format!("{from} 起才可以"),
                    )
                },
            );
            names.say(
                format!("{who} took {name} at {at}, too soon: {next}"),
                format!("{who} {at} 服用{name}，过早：{next}"),
            )
        }
        Entry::StockCounted {
            medication, stock, ..
        } => {
            let (name, left) = (
                names.medication(medication),
                amount_words(stock.thousandths),
            );
            let (unit, on) = (&stock.unit, stock.on);
            names.say(
                format!("The plan says that on {on} there was {left} {unit} of {name}"),
                format!("计划写明 {on} 有{name} {left}{unit}"),
            )
        }
        Entry::RefillDue {
            medication,
            left,
            days,
            ..
        } => {
            let (name, left) = (names.medication(medication), amount_words(*left));
            names.say(
                format!("{name} runs out: {left} left, enough for {days} days"),
                format!("{name}快用完：还剩 {left}，够 {days} 天"),
            )
        }
        _ => of_people(entry, names),
    }
}

/// Entries of what was written, of reach, consent and calls.
#[expect(clippy::too_many_lines, reason = "a list: one arm a sort of entry")]
fn of_people(entry: &Entry, names: &Naming<'_>) -> String {
    match entry {
        Entry::Wrote { text, red_flag, by } => {
            let who = names.teller(by);
            if *red_flag {
                names.say(
                    format!("{who} wrote what cannot wait: \"{text}\""),
                    format!("{who}写了紧急内容：“{text}”"),
                )
            } else {
                names.say(
                    format!("{who} wrote: \"{text}\""),
                    format!("{who}写道：“{text}”"),
                )
            }
        }
        Entry::Advised { text, by, message } => {
            let who = names.adviser(by);
            let mut words = names.say(
                format!("{who} said: \"{text}\""),
                format!("{who}说：“{text}”"),
            );
            if message.is_none() {
                words += &names.say("; no message can go to the patient", "；无法给患者发消息");
            }
            words
        }
        Entry::ReachChanged { why, barred } => {
            let what = reach_words(names.language, *why);
            match barred {
                None => names.say(
                    format!("{what}: messages can go to the patient"),
                    format!("{what}：可以给患者发消息"),
                ),
                Some(reason) => {
                    let reason = reason_words(names.language, *reason);
                    names.say(
                        format!("{what}: no message can go to the patient ({reason})"),
                        format!("{what}：无法给患者发消息（{reason}）"),
                    )
                }
            }
        }
        Entry::CaregiverReach { caregiver, barred } => {
            let who = names.caregiver(caregiver);
            match barred {
                None => names.say(format!("News can go to {who}"), format!("可以告知{who}")),
                Some(reason) => {
                    let reason = reason_words(names.language, *reason);
                    names.say(
                        format!("News cannot go to {who} any more ({reason})"),
                        format!("无法再告知{who}（{reason}）"),
                    )
                }
            }
        }
        Entry::ConsentGiven { by, at, .. } => names.say(
            format!(
                "{} allowed medical messages at {}",
                names.teller(by),
                names.moment(*at)
            ),
            format!("{} {}同意接收医疗消息", names.moment(*at), names.teller(by)),
        ),
        Entry::Erased => names.say(
            "What was known of the patient was erased".to_owned(),
            "该患者的资料已删除".to_owned(),
        ),
        Entry::CallWanted { reason } => names.say(
            format!("To be called: {}", call_words(names.language, *reason)),
            format!("需要电话联系：{}", call_words(names.language, *reason)),
        ),
        Entry::CallOver { reason } => names.say(
            format!(
                "No need to call any more: {}",
                call_words(names.language, *reason)
            ),
            format!("不再需要电话联系：{}", call_words(names.language, *reason)),
        ),
        Entry::CallDone { reasons, note, by } => {
            let separator = names.say(", ", "、");
            let reasons: Vec<&str> = reasons
                .iter()
                .map(|it| call_words(names.language, *it))
                .collect();
            let (reasons, who) = (reasons.join(&separator), names.adviser(by));
            let mut text = names.say(
                format!("{who} has seen to it: {reasons}"),
                format!("{who}已处理：{reasons}"),
            );
            if !note.is_empty() {
                text += &names.say(format!("; \"{note}\""), format!("；“{note}”"));
            }
            text
        }
        Entry::Restored { since } => names.say(
            format!(
                "The store was restored from a backup: what happened since {} is not known",
                names.moment(*since)
            ),
            format!(
                "存储由备份恢复：{} 以来发生了什么不得而知",
                names.moment(*since)
            ),
        ),
        // These were said further up.
        Entry::PlanApplied { .. }
        | Entry::PlanTextChanged { .. }
        | Entry::PlanEnded
        | Entry::Accepted { .. }
        | Entry::NotAccepted { .. }
        | Entry::DoseClosed(_)
        | Entry::DosesExpired { .. }
        | Entry::AppointmentNotReminded { .. }
        | Entry::CheckInClosed { .. }
        | Entry::DoseReopened { .. }
        | Entry::Snoozed { .. }
        | Entry::SaidNotTaken { .. }
        | Entry::TakenAsNeeded { .. }
        | Entry::AsNeededTooSoon { .. }
        | Entry::CheckInAnswered { .. }
        | Entry::Delivered { .. }
        | Entry::NotDelivered { .. }
        | Entry::Told { .. }
        | Entry::SentInWords { .. }
        | Entry::WordsRefused { .. }
        | Entry::StockCounted { .. }
        | Entry::RefillDue { .. } => String::new(),
    }
}

fn amount_words(thousandths: i64) -> String {
    Value::Number(thousandths).to_string()
}

/// An answer as it is read.
#[must_use]
pub fn value_words(language: Language, value: &Value) -> String {
    match (value, language) {
        (Value::Bool(true), Language::ZhCn) => "是".to_owned(),
        (Value::Bool(false), Language::ZhCn) => "否".to_owned(),
        _ => value.to_string(),
    }
}

fn pick(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        Language::En => english,
        Language::ZhCn => chinese,
    }
}

/// What became of a dose.
#[must_use]
pub fn state_words(language: Language, state: DoseState) -> &'static str {
    match state {
        DoseState::Open => pick(language, "waits for an answer", "等待回答"),
        DoseState::Taken => pick(language, "taken", "已服"),
        DoseState::Skipped => pick(language, "skipped", "跳过"),
        DoseState::Missed => pick(
            language,
            "missed: reminded, no word of it being taken",
            "漏服：已提醒，没有说服了",
        ),
        DoseState::Expired => pick(language, "not reminded in time", "未能按时提醒"),
        DoseState::Cancelled => pick(
            language,
            "taken back: the plan was edited",
            "撤回：计划已修改",
        ),
    }
}

/// Why something was not sent.
#[must_use]
pub fn reason_words(language: Language, reason: ExpiredReason) -> &'static str {
    match reason {
        ExpiredReason::DaemonDown => pick(language, "dosed was not running", "dosed 未运行"),
        ExpiredReason::ApiDown => pick(language, "WeChat did not take messages", "微信接口不可用"),
        ExpiredReason::Throttled => pick(language, "too many messages at once", "发送受限"),
        ExpiredReason::NotEnrolled => pick(language, "no contact is known", "没有绑定联系人"),
        ExpiredReason::Unreachable => pick(
            language,
            "the contact does not follow the account or refuses messages",
            "联系人未关注或拒收",
        ),
        ExpiredReason::ConsentWithdrawn => {
            pick(language, "no consent, or stopped", "未同意或已停止")
        }
        ExpiredReason::Held => pick(language, "sending was held", "发送被暂停"),
        ExpiredReason::Rejected => {
            pick(language, "WeChat refuses this message", "微信拒绝这条消息")
        }
        ExpiredReason::Clock => pick(language, "the clock was not to be believed", "时钟不可信"),
    }
}

/// Why a person must ring.
#[must_use]
pub fn call_words(language: Language, reason: CallReason) -> &'static str {
    match reason {
        CallReason::MissedInARow => pick(language, "several doses missed in a row", "连续漏服"),
        CallReason::CriticalMissed => {
            pick(language, "a time-critical dose missed", "漏服必须准时的药")
        }
        CallReason::Unreachable => pick(language, "no message arrives", "消息发不到"),
        CallReason::InDoubt => pick(
            language,
            "whether a reminder arrived is not known",
            "提醒是否送达不明",
        ),
        CallReason::RedFlag => pick(
            language,
            "wrote of something that cannot wait",
            "写了紧急内容",
        ),
        CallReason::CheckIn => pick(
            language,
            "an answer to be looked at, or none",
            "回答异常或没有回答",
        ),
        CallReason::Stopped => pick(language, "has stopped all messages", "已停止所有消息"),
        CallReason::Advice => pick(
            language,
            "an answer of the clinic did not arrive",
            "诊所的回复没有送达",
        ),
        CallReason::Refill => pick(language, "a medicine runs out", "药快用完"),
        CallReason::Caregiver => pick(
            language,
            "news does not reach a caregiver",
            "照护者联系不上",
        ),
    }
}

fn reach_words(language: Language, why: ReachChange) -> &'static str {
    match why {
        ReachChange::Enrolled => pick(language, "Bound by a scan", "扫码绑定"),
        ReachChange::Consented => pick(language, "Consent was given", "已同意"),
        ReachChange::Unfollowed => pick(language, "Stopped following the account", "取消关注"),
        ReachChange::Followed => pick(language, "Follows the account again", "重新关注"),
        ReachChange::Stopped => pick(language, "Stopped by the patient's word", "患者要求停止"),
        ReachChange::Started => pick(
            language,
            "Started again by the patient's word",
            "患者要求恢复",
        ),
        ReachChange::Declined => pick(language, "Consent was not given", "不同意"),
    }
}

fn news_words(language: Language, news: &str) -> &str {
    match news {
        "critical_missed" => pick(
            language,
            "a time-critical dose was missed",
            "漏服必须准时的药",
        ),
        "missed" => pick(language, "a dose was missed", "漏服"),
        "missed_in_a_row" => pick(language, "several doses missed in a row", "连续漏服"),
        "due" => pick(language, "a dose is due", "该服药了"),
        "check_in" => pick(language, "an answer to be looked at", "回答需要关注"),
        "no_answer" => pick(language, "a question was not answered", "没有回答问题"),
        "red_flag" => pick(language, "something that cannot wait", "紧急内容"),
        "message" => pick(language, "what was written", "留言"),
        "too_soon" => pick(language, "a medicine was taken too soon", "按需用药过早"),
        "unreachable" => pick(language, "no message arrives", "消息发不到"),
        "in_doubt" => pick(
            language,
            "whether a reminder arrived is not known",
            "提醒是否送达不明",
        ),
        "stopped" => pick(language, "all messages were stopped", "已停止所有消息"),
        "started" => pick(language, "messages are allowed again", "已恢复消息"),
        "too_many" => pick(language, "too many messages in an hour", "一小时内消息过多"),
        "refill" => pick(language, "a medicine runs out", "药快用完"),
        "caregiver_unreachable" => pick(language, "a caregiver is not reached", "照护者联系不上"),
        other => other,
    }
}

impl Naming<'_> {
    fn say(&self, english: impl Into<String>, chinese: impl Into<String>) -> String {
        match self.language {
            Language::En => english.into(),
            Language::ZhCn => chinese.into(),
        }
    }

    /// What a message was about, in brackets, or nothing.
    fn of(&self, about: &[About]) -> String {
        if about.is_empty() {
            return String::new();
        }
        let doses = self.doses(about);
        self.say(format!(": {doses}"), format!("：{doses}"))
    }

    fn doses(&self, about: &[About]) -> String {
        let separator = self.say(", ", "、");
        let doses: Vec<String> = about
            .iter()
            .map(|it| {
                let (name, at) = (self.item(&it.id), self.moment(it.due));
                self.say(format!("{name} ({at})"), format!("{name}（{at}）"))
            })
            .collect();
        doses.join(&separator)
    }

    fn dose(&self, medication: &str, amount: &str, due: Millis) -> String {
        let (name, at) = (self.medication(medication), self.moment(due));
        let amount = crate::plan::explain::amount_words(self.language, amount);
        self.say(
            format!("{name}, {amount} ({at})"),
            format!("{name} {amount}（{at}）"),
        )
    }

    fn teller(&self, by: &Teller) -> String {
        match by {
            Teller::Patient => self.say("the patient", "患者"),
            Teller::Caregiver(id) => self.caregiver(id).to_owned(),
        }
    }

    fn recipient(&self, to: &Recipient) -> String {
        match to {
            Recipient::Patient => self.say("the patient", "患者"),
            Recipient::Caregiver(id) => self.caregiver(id).to_owned(),
            Recipient::Staff(name) => name.clone(),
        }
    }

    fn adviser(&self, by: &Adviser) -> String {
        match by {
            Adviser::Operator => self.say("the operator", "系统管理员"),
            Adviser::Staff(name) | Adviser::Account(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
