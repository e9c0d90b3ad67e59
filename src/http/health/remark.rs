//! What health says in words, in one table: a remark that lacks one of the two languages does not
//! compile. None of it names a patient.

use crate::plan::Language;

macro_rules! remarks {
    ($(
        #[doc = $doc:literal]
        $name:ident { $($field:ident: $type:ty),* }: $english:literal, $chinese:literal;
    )*) => {
        /// A remark: how something is, and what to do about it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "fields are named in the words")]
        pub enum Remark {
            $(
                #[doc = $doc]
                $name { $($field: $type),* },
            )*
        }

        impl Remark {
            /// The words in a language.
            #[must_use]
            pub fn words(&self, language: Language) -> String {
                match self {
                    $(
                        Remark::$name { $($field),* } => {
                            // Not every language needs every field.
                            let _ = ($(&$field,)*);
                            match language {
                                Language::En => format!($english),
                                Language::ZhCn => format!($chinese),
                            }
                        }
                    )*
                }
            }
        }
    };
}

remarks! {
    // The summary.
    /// Plan files are refused.
    PlansRefused { number: usize, plans: String }: "{plans} rejected", "{number} 份计划被拒绝";
    /// Nothing is sent while the clock is in doubt.
    HeldByClock {}: "sending is held: the clock is not to be believed", "发送已暂停：时钟不可信";
    /// More than is expected of an hour.
    HeldByHour {}: "sending is held: too many messages within an hour", "发送已暂停：一小时内消息过多";
    /// The API takes only so many.
    Limited {}: "the API limits us", "微信限制发送频率";
    /// The API takes none.
    Closed {}: "the API does not take messages", "微信不接受消息";
    /// The day in numbers.
    Doses { doses: String, due: u64, reminded: u64, expired: u64 }: "{doses} due today, {reminded} reminded, {expired} expired", "今天已到时间 {due} 次用药，已提醒 {reminded} 次，未提醒 {expired} 次";
    /// Nobody knows whether they arrived.
    InDoubt { number: u64, messages: String }: "{messages} in doubt", "{number} 条消息送达情况不明";
    /// When somebody is woken next.
    NextWake { at: String }: "next wake {at}", "下一次处理 {at}";
    /// Nobody is.
    NoWake {}: "next wake none", "没有待处理的";
    // What is wrong, and what to do.
    /// The clock is in doubt.
    ClockInDoubt { english: &'static str, chinese: &'static str }: "{english}: sending is held until it is plausible or synchronised again; if it is right, run: dosed clock accept --config FILE", "{chinese}：在时钟恢复可信或同步之前暂停发送；如果时钟正确，请运行：dosed clock accept --config FILE";
    /// Plans have not been read.
    NoPlansYet {}: "the plans have not been brought into force; see the log", "计划还没有生效；请查看日志";
    /// The configuration or the reading of plans was refused whole.
    ReloadRefused { why: String }: "{why}", "最近一次读取被整体拒绝：{why}";
    /// There is no plan directory.
    NoPlanDirectory {}: "the plan directory is not there; all plans stay in force", "计划目录不存在；所有计划继续生效";
    /// Too many plans vanished at once.
    PlansVanished { number: usize, plans: String }: "{plans} vanished at once and stay in force; if that is meant, run: dosed reload --accept-removals", "{number} 份计划同时消失，仍继续生效；如果确实要结束，请运行：dosed reload --accept-removals";
    /// Plan files are refused, and what to do.
    PlansToCheck { number: usize, plans: String }: "{plans} rejected; run: dosed check --config FILE", "{number} 份计划被拒绝；请运行：dosed check --config FILE";
    /// The store cannot be written.
    NotWritable {}: "the store cannot be written; see the log, and the disk it lies on", "数据无法写入；请查看日志和所在磁盘";
    /// The disk is nearly full.
    DiskNearlyFull {}: "the store's disk is nearly full", "数据所在磁盘即将写满";
    /// The API takes only so many; messages wait.
    LimitedNow {}: "the API limits us; messages leave when it takes them", "微信限制发送频率；消息会在可以发送时发出";
    /// The API takes none; it is probed.
    ClosedNow {}: "the API does not take messages; it is probed; see the log", "微信不接受消息；正在重试，请查看日志";
    /// Tries failed.
    TriesFailed {}: "the last tries have failed", "最近几次发送失败";
    /// The hour's brake is on.
    TooManyMessages {}: "too many messages within an hour: all but critical ones are held until they are fewer; if so many are meant, run: dosed resume --config FILE", "一小时内消息过多：除关键消息外都暂停，直到数量减少；如果确实需要这么多，请运行：dosed resume --config FILE";
    /// No access token.
    NoToken {}: "no access token is given; see the log for the return code", "没有取得 access token；返回码见日志";
    /// The day's quota is kept for what matters most.
    QuotaReserved {}: "the API's quota of messages a day is nearly used up: only critical messages and doses leave", "当日消息配额即将用完：只发送关键消息和用药提醒";
    /// The day's quota is nearly used up.
    QuotaLow {}: "the API's quota of messages a day is nearly used up", "当日消息配额即将用完";
    /// Doses expired.
    DosesExpired {}: "doses of today were not reminded of in time; see dosed history", "今天有用药未能按时提醒；请查看“今天”页面或 dosed history";
    /// Messages are in doubt.
    MessagesInDoubt {}: "of some messages it is unknown whether they arrived; see dosed history", "有些消息送达情况不明；请查看“今天”页面或 dosed history";
    /// Patients cannot be reached.
    PatientsUnreachable {}: "the channel cannot reach some patients; see dosed history", "有些患者在微信上无法送达；请查看电话名单或 dosed history";
    /// Staff refuse messages.
    StaffRefuse {}: "somebody of the staff refuses messages; until they write, only alarms are tried", "有工作人员拒收消息；在其发来消息之前只尝试发送警报";
    /// Records cannot be read.
    RecordsUnreadable {}: "records of patients cannot be read; see the log", "有患者记录无法读取；请查看日志并运行 dosed fsck";
    /// The dead man's switch does not hear.
    DeadmanFails {}: "the dead man's switch cannot be told; see the log and [deadman] url", "无法通知外部监控服务；请查看日志和 [deadman] url";
    /// A job is late.
    JobOverdue {}: "a job of housekeeping is overdue; run: dosed jobs", "定时任务超时未完成；请运行：dosed jobs";
    /// A job never succeeded.
    JobNeverDone {}: "a job of housekeeping has never succeeded; run: dosed jobs", "定时任务从未成功；请运行：dosed jobs";
    /// A job failed.
    JobFailed {}: "a job of housekeeping has failed; run: dosed jobs", "定时任务失败；请运行：dosed jobs";
}

/// Remarks in one line.
#[must_use]
pub fn line(remarks: &[Remark], language: Language) -> String {
    let words: Vec<String> = remarks.iter().map(|it| it.words(language)).collect();
    words.join(match language {
        Language::En => "; ",
        Language::ZhCn => "；",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_said_in_each_language_with_what_they_hold() {
        let remarks = [
            Remark::PlansRefused {
                number: 2,
                plans: "2 plans".to_owned(),
            },
            Remark::Doses {
                doses: "7 doses".to_owned(),
                due: 7,
                reminded: 5,
                expired: 1,
            },
            Remark::NoWake {},
        ];
        assert_eq!(
            line(&remarks, Language::En),
            "2 plans rejected; 7 doses due today, 5 reminded, 1 expired; next wake none"
        );
        assert_eq!(
            line(&remarks, Language::ZhCn),
            "2 份计划被拒绝；今天已到时间 7 次用药，已提醒 5 次，未提醒 1 次；没有待处理的"
        );
        let clock = Remark::ClockInDoubt {
            english: "it is late",
            chinese: "太晚了",
        };
        assert!(
            clock
                .words(Language::En)
                .starts_with("it is late: sending is held")
        );
        assert!(clock.words(Language::ZhCn).starts_with("太晚了："));
    }
}
