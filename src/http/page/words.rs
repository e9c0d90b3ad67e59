//! The labels of the pages, in one table: a label that lacks one of the two languages does not
//! compile.

use crate::engine::{CallReason, DoseState, ExpiredReason, Role};
use crate::plan::Language;

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// The labels in one language.
        pub struct Words {
            $(
                #[doc = $english]
                pub $name: &'static str,
            )*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static CHINESE: Words = Words { $($name: $chinese,)* };
    };
}

words! {
    // The frame.
    skip: "Skip to the content", "跳到正文";
    pages: "Pages", "页面";
    other_language: "中文", "English";
    signed_in_as: "Signed in as", "已登录：";
    sign_out: "Sign out", "退出登录";
    as_of: "As of", "截至";
    viewer: "viewer", "只读";
    nurse: "nurse", "护士";
    doctor: "doctor", "医生";
    // Signing in.
    sign_in: "Sign in", "登录";
    account: "Account", "账号";
    password: "Password", "密码";
    wrong_password: "That is not the account's password, or there is no such account.", "账号或密码不正确。";
    too_many_tries: "Too many tries. Wait a minute, then try again.", "尝试次数过多，请一分钟后再试。";
    signed_out: "You are signed out.", "您已退出登录。";
    cookies_needed: "The page needs one cookie to know that you are signed in. It holds nothing else.", "本页面需要一个 Cookie 来记住登录状态，不含其他内容。";
    // Trouble.
    not_found: "There is no such page", "没有这个页面";
    not_found_why: "The address is wrong, or what it showed is not there any more.", "地址有误，或内容已不存在。";
    not_allowed: "Your account may not do that", "您的账号没有此权限";
    not_allowed_why: "Ask whoever looks after the server for another role.", "如需更多权限，请联系系统管理员。";
    forged: "Nothing was done", "操作未执行";
    forged_why: "The form was from before you signed in last, or from another site. Go back, load the page again, and send it again.", "该表单已过期或来自其他网站。请返回并重新加载页面后再提交。";
    expired: "You were signed out meanwhile", "登录已失效";
    expired_why: "Nothing was done. Sign in again. What you wrote:", "操作未执行，请重新登录。您刚才填写的内容：";
    too_long: "That is too long", "内容过长";
    too_slow: "The request did not come in time", "请求超时";
    unavailable: "That could not be read or done just now", "暂时无法读取或执行";
    unavailable_why: "The store does not answer. Reminders go on as far as they can; see the System page.", "数据存储暂无响应。提醒会尽可能继续发送，详见“系统”页面。";
    left_out: "records cannot be read and are left out here: somebody may be missing. Whoever looks after the server runs: dosed fsck", "条记录无法读取，没有列在这里，可能有遗漏。请系统管理员运行：dosed fsck";
    back: "Back", "返回";
    between: ", ", "、";
    colon: ": ", "：";
    none: "None.", "无。";
    patient: "Patient", "患者";
    patients: "Patients", "患者";
    medication: "Medicine", "药品";
    medications: "Medicines", "药品";
    more_pages: "More pages", "翻页";
    earlier_page: "Back a page", "上一页";
    later_page: "Next page", "下一页";
    first_page: "First page", "第一页";
    newer: "Newer", "较新";
    older: "Older", "较早";
    caregivers: "Caregivers:", "照护者：";
    // Today.
    today: "Today", "今天";
    due: "due so far", "已到时间";
    due_at: "Due", "时间";
    doses: "Doses", "用药";
    reminded: "reminded", "已提醒";
    answered: "answered", "已回复";
    in_doubt: "(nobody knows whether the reminder arrived)", "（无法确认提醒是否送达）";
    next_hours: "The next six hours", "接下来六小时";
    expired_because: "Not reminded of in time:", "未能按时提醒：";
    questions: "Questions", "随访问题";
    questions_due: "Questions due so far", "已到时间的随访问题";
    question: "Question", "问题";
    answer_given: "Answer", "回答";
    not_asked: "not asked", "未提问";
    not_asked_yet: "not asked yet", "尚未提问";
    no_answer_came: "no answer", "未回答";
    look_at_answer: "to be looked at", "需要关注";
    dose_open: "open", "等待回复";
    dose_taken: "taken", "已服用";
    dose_skipped: "left out", "已跳过";
    dose_missed: "missed", "漏服（无回复）";
    dose_expired: "not reminded", "未提醒";
    dose_cancelled: "cancelled", "已取消";
    reason_daemon_down: "dosed was not running", "程序未运行";
    reason_api_down: "WeChat did not take messages", "微信接口不可用";
    reason_throttled: "too many messages at once", "发送过于频繁";
    reason_not_enrolled: "no WeChat contact is known", "未绑定微信";
    reason_unreachable: "cannot be reached on WeChat", "微信无法送达";
    reason_consent_withdrawn: "has stopped messages", "已停止接收";
    reason_held: "sending was held", "发送已暂停";
    reason_rejected: "WeChat refuses this message", "微信拒收此消息";
    reason_clock: "the clock was in doubt", "时钟不可信";
    // The call list.
    calls: "Call list", "电话名单";
    to_ring: "Patients to ring:", "需要致电的患者：";
    nobody_to_ring: "Nobody has to be rung.", "暂无需要致电的患者。";
    why: "Why", "原因";
    since: "Since", "开始";
    last: "Last", "最近";
    not_reached: "news does not arrive there", "消息无法送达";
    mark_done: "Mark as done", "标记为已处理";
    done_with: "What is done with", "已处理的原因";
    all_reasons: "all of it", "全部";
    note: "Note for the journal: what came of it", "备注（记入日志）：结果如何";
    note_too_long: "The note is too long: at most 2,000 bytes, that is some 600 Chinese characters. Nothing was done.", "备注过长：最多 2000 字节（约 600 个汉字）。操作未执行。";
    call_is_done: "Marked as done.", "已标记为处理完毕。";
    call_is_gone: "The patient is not on the list any more: somebody else was quicker, or the reason is gone.", "该患者已不在名单上：可能已由他人处理，或原因已消失。";
    call_missed_in_a_row: "missed several doses in a row", "连续多次漏服";
    call_critical_missed: "missed a dose that must not be late", "漏服关键用药";
    call_unreachable: "no message arrives", "消息无法送达";
    call_in_doubt: "nobody knows whether a reminder arrived", "无法确认提醒是否送达";
    call_red_flag: "wrote of something that cannot wait", "发来紧急情况";
    call_check_in: "an answer to look at, or none", "随访回答异常或未回答";
    call_stopped: "has stopped all messages", "已停止接收所有消息";
    call_advice: "advice could not be delivered", "医嘱未能送达";
    call_refill: "a medicine runs out soon", "药品即将用完";
    call_caregiver: "news does not reach a caregiver any more", "照护者收不到消息";
    // The inbox.
    inbox: "Inbox", "收件箱";
    of_seven_days: "written in seven days", "七天内的留言";
    not_answered: "not answered", "未回复";
    nothing_written: "Nobody has written anything.", "暂无留言。";
    stranger: "Unknown contact", "未知联系人";
    stranger_why: "Nobody knows who this is, so that nothing can be answered from here. Whoever scans a code at the clinic is known.", "身份不明，无法在此回复。在诊所扫码绑定后即可识别。";
    written_by: "written by", "发送人：";
    red_flag: "cannot wait", "紧急";
    clinic_said: "The clinic said", "诊所已回复";
    could_not_be_sent: "no message could go; on the call list", "消息无法发送，已列入电话名单";
    answer: "Answer", "回复";
    answer_to: "Answer to", "回复给";
    answer_goes: "It goes to the patient over WeChat, as it stands here, and into the journal.", "内容将原样通过微信发送给患者，并记入日志。";
    send: "Send", "发送";
    answer_is_sent: "The answer is on its way.", "回复正在发送。";
    answer_is_to_call: "No message can go to this patient: they are on the call list now.", "无法给该患者发送消息，已列入电话名单。";
    answer_is_again: "That answer was taken already: see below what came of it.", "该回复已提交过，请在下方查看结果。";
    answer_too_long: "An answer has at least one word and at most 2,000 bytes, that is some 600 Chinese characters. Nothing was sent.", "回复不能为空，且最多 2000 字节（约 600 个汉字）。未发送。";
    // Plans.
    plans: "Plans", "用药计划";
    plans_in_force: "Plans in force:", "生效中的计划：";
    read_last: "read last", "最近读取";
    in_force: "In force", "生效中";
    rejected: "Refused", "被拒绝";
    none_rejected: "No plan is refused.", "没有被拒绝的计划。";
    not_a_plan: "not a plan", "不是计划文件";
    last_good_stays: "The last good version stays in force.", "上一个有效版本继续生效。";
    reload_refused: "The last reading was refused whole:", "最近一次读取被整体拒绝：";
    held_removals: "Plans that vanished at once and stay in force until somebody accepts that:", "同时消失、在确认前继续生效的计划：";
    last_edits: "Last edits", "最近修改";
    no_edits: "No plan was edited within seven days.", "七天内没有修改。";
    edit_new: "new", "新建";
    edit_changed: "changed", "已修改";
    edit_reworded: "text changed, meaning the same", "文字修改，含义不变";
    edit_ended: "ended", "已结束";
    no_text_before: "The text before it is not kept any more.", "之前的文字已不再保存。";
    more_lines: "more lines that differ", "行有改动，未显示";
    check_ins: "Check-ins", "随访";
    version: "Version", "版本";
    // A patient.
    plan: "Plan in force", "有效的计划";
    plan_version: "Plan version", "计划版本";
    no_plan: "No plan is in force.", "没有有效的计划。";
    edit_plan: "Edit the plan", "修改计划";
    plan_history: "What the plan was", "计划的历史";
    waiting: "Waits for an answer", "等待回答";
    nothing_waits: "Nothing waits.", "没有等待回答的。";
    reminded_at: "reminded at", "已提醒：";
    not_reminded_yet: "not reminded yet", "还没有提醒";
    said_not_taken: "says it is not taken yet", "说还没服";
    comes_next: "Comes next", "接下来";
    nothing_next: "Nothing is due in the next days.", "接下来几天没有。";
    answers: "Answers over time", "回答的变化";
    days_long: "days", "天";
    no_answers: "No question was asked in this time.", "这段时间没有提问。";
    adherence: "Adherence", "服药情况";
    adherence_caption: "Of the doses of which it is known; what was not sent counts against nobody.", "只计已知结果的剂次；未发出的不计在患者头上。";
    last_days: "Last days", "最近天数";
    medicine: "Medicine", "药";
    all_medicines: "all", "全部";
    doses_taken: "Taken", "已服";
    doses_on_time: "On time", "按时";
    correct_days: "Correct days", "全对的天数";
    no_answer: "No answer", "没有回答";
    not_sent: "Not sent", "未发出";
    calendar: "Doses of", "用药日历";
    month_before: "←", "←";
    month_after: "→", "→";
    no_doses: "No doses in this month.", "这个月没有用药。";
    taken_not_on_time: "taken, not on time", "已服，不准时";
    contacts: "Who is reached", "联系谁";
    who: "Who", "谁";
    the_patient: "The patient", "患者";
    reached: "reached", "能联系上";
    bound_by_scan: "bound by a scan", "扫码绑定";
    named_by_plan: "named by the plan", "计划中写明";
    no_contact: "no contact is known", "没有绑定联系人";
    enrol: "Code to scan", "绑定码";
    make_code: "Make a code", "生成二维码";
    code: "Code to scan with WeChat", "用微信扫这个码";
    code_for: "Whoever scans it is from then on the contact of:", "扫码的人从此成为联系人：";
    code_until: "It can be scanned once, until", "只能扫一次，有效期至";
    no_code: "There is no code:", "没有生成二维码：";
    journal: "Journal", "记录";
    whole_journal: "The whole journal", "全部记录";
    journal_empty: "Nothing is written here.", "没有记录。";
    newest: "Newest", "最新";
    back_to_patient: "To the patient's page", "回到患者页面";
    first_version: "The first one that is kept.", "现存的第一版。";
    no_texts: "No text is kept.", "没有保存的文字。";
    whole_text: "The whole text", "全文";
    same_text: "The lines are the same.", "各行相同。";
    differences: "What is gone (-) and what is new (+)", "删去的（-）与新增的（+）";
    lines_alike: "lines alike", "行相同";
    upper: "upper", "收缩压";
    lower: "lower", "舒张压";
    to_be_looked_at: "to be looked at", "需要关注";
    last_answer: "last", "最近";
    last_answers: "The last answers", "最近的回答";
    asked_at: "Asked", "提问时间";
    came_late: "late", "迟到";
    // What is wrong with a plan.
    findings_are: "Each finding says in which file, line and column it is and what is wrong, shows the line with ^ below the place, and says what would be right.", "每一处写明文件名、行、列和哪里不对，下面是原文，^ 指出位置，最后是正确的写法。没有中文说明的显示英文。";
    finding_error: "error", "错误";
    finding_doubt: "warning", "留意";
    finding_help: "help", "建议";
    // The editor.
    plan_text: "The plan's text", "计划的文字";
    save: "Save", "保存";
    check_plan: "Check", "检查";
    plan_is_right: "nothing to say against it", "没有问题";
    plan_has_doubts: "to be looked at:", "需要留意：";
    plan_is_wrong: "errors:", "错误：";
    plan_means: "What it means", "它的意思";
    saving_would: "What saving would change", "保存会改变什么";
    nothing_changes: "Nothing: it is in force as it stands here.", "没有变化：这就是有效的计划。";
    plan_saved: "Saved.", "已保存。";
    in_force_as: "In force as version", "已生效，版本";
    not_in_force_yet: "It is not in force yet:", "还没有生效：";
    plan_wrong: "Nothing was saved: the text has errors.", "没有保存：文字有错误。";
    plan_changed: "Nothing was saved: the file was changed by somebody else since it was loaded here.", "没有保存：打开之后文件已被别人修改。";
    there_and_here: "What stands in the file now (-), and what is written here (+):", "文件现在的内容（-）与这里写的（+）：";
    plan_gone: "The file is not there any more.", "文件已经不在了。";
    load_again: "Load what stands there now; what is written here is lost", "重新打开文件现在的内容（这里写的会丢失）";
    save_instead: "Save what is written here instead", "仍然用这里写的覆盖";
    plan_read_only: "Nothing can be saved: the daemon may not write into the plan directory. Ask whoever looks after the server, or edit the file there.", "无法保存：程序没有写入计划目录的权限。请联系系统管理员，或在服务器上修改文件。";
    plan_not_here: "This plan is not edited here:", "不能在这里修改这份计划：";
    plan_not_saved: "Nothing was saved:", "没有保存：";
    plan_inline: "it stands in the configuration file, and is edited there.", "它写在配置文件里，请在那里修改。";
    plan_is_new: "There is no plan yet. It begins when it is saved.", "还没有计划，保存后开始。";
    new_plan: "A new patient", "新患者";
    new_id: "The patient's id", "患者编号";
    new_id_help: "The name of the plan's file, e.g. wang-xiulan: small letters, digits, - and _. It never changes and never goes to another patient.", "计划文件的名字，例如 wang-xiulan：小写字母、数字、- 和 _。以后不再更改，也不给别的患者用。";
    begin_plan: "Write the plan", "写计划";
    // System.
    check_plans: "Plans are read and in force", "用药计划已读取并生效";
    check_lag: "The scheduler keeps up", "调度及时";
    check_clock: "The clock is right", "系统时钟正确";
    check_writable: "The store can be written", "数据可写入";
    check_space: "There is room on the disk", "磁盘空间充足";
    check_outbox: "No message waits too long", "没有消息等待过久";
    check_send: "WeChat takes messages", "微信接受消息";
    check_hour: "No more messages than expected", "每小时发送量正常";
    check_quota: "The day's quota suffices", "当日配额充足";
    check_token: "WeChat lets us in", "微信授权有效";
    check_expired: "Every dose of today was reminded of", "今天的用药均已提醒";
    check_in_doubt: "It is known of every message whether it arrived", "所有消息的送达情况明确";
    check_unreachable: "Every patient can be reached", "所有患者均可送达";
    check_staff: "Every member of staff can be reached", "所有工作人员均可送达";
    check_records: "Every patient's record can be read", "所有患者记录可读";
    check_deadman: "The service that watches over dosed hears of it", "外部监控服务正常";
    check_retention: "What is too old is removed at night", "每晚清理过期数据";
    check_backup: "There is a backup of last night", "每晚备份正常";
    jobs: "Jobs", "定时任务";
    job: "Job", "任务";
    started_last: "Started last", "最近开始";
    succeeded_last: "Succeeded last", "最近成功";
    failed: "failed", "失败";
    audit: "Who saw and did what", "访问记录";
    at: "When", "时间";
    what: "What", "操作";
    outcome: "Outcome", "结果";
    seen: "seen", "查看";
    outcome_done: "done", "完成";
    outcome_refused: "refused", "被拒绝";
    outcome_failed: "failed", "失败";
    system: "System", "系统";
    all_well: "All is well.", "一切正常。";
    look: "It runs; somebody should look.", "正在运行，需要有人查看。";
    broken: "Something does not work.", "有功能无法工作。";
    checks: "Checks", "检查项";
    check: "What", "项目";
    state: "State", "状态";
    finding: "What is wrong and what to do", "问题与处理";
    pass: "well", "正常";
    warn: "look", "注意";
    fail: "broken", "故障";
    release: "Release", "版本";
    up_since: "Up for", "已运行";
    days: "d", "天";
    hours: "h", "小时";
    minutes: "min", "分钟";
}

impl Words {
    /// The labels in a language.
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &ENGLISH,
            Language::ZhCn => &CHINESE,
        }
    }

    /// What became of a dose.
    #[must_use]
    pub fn dose_state(&self, state: DoseState) -> &'static str {
        match state {
            DoseState::Open => self.dose_open,
            DoseState::Taken => self.dose_taken,
            DoseState::Skipped => self.dose_skipped,
            DoseState::Missed => self.dose_missed,
            DoseState::Expired => self.dose_expired,
            DoseState::Cancelled => self.dose_cancelled,
        }
    }

    /// Why a dose was not reminded of.
    #[must_use]
    pub fn expired_reason(&self, reason: ExpiredReason) -> &'static str {
        match reason {
            ExpiredReason::DaemonDown => self.reason_daemon_down,
            ExpiredReason::ApiDown => self.reason_api_down,
            ExpiredReason::Throttled => self.reason_throttled,
            ExpiredReason::NotEnrolled => self.reason_not_enrolled,
            ExpiredReason::Unreachable => self.reason_unreachable,
            ExpiredReason::ConsentWithdrawn => self.reason_consent_withdrawn,
            ExpiredReason::Held => self.reason_held,
            ExpiredReason::Rejected => self.reason_rejected,
            ExpiredReason::Clock => self.reason_clock,
        }
    }

    /// What a check of health is about; its name for one that has no label.
    #[must_use]
    pub fn health_check(&self, name: &'static str) -> &'static str {
        match name {
            "plans:active" => self.check_plans,
            "scheduler:lag" => self.check_lag,
            "clock:step" => self.check_clock,
            "store:writable" => self.check_writable,
            "store:free_space" => self.check_space,
            "outbox:oldest" => self.check_outbox,
            "messaging:send" => self.check_send,
            "messaging:hour" => self.check_hour,
            "messaging:quota" => self.check_quota,
            "messaging:token" => self.check_token,
            "doses:expired" => self.check_expired,
            "messages:in_doubt" => self.check_in_doubt,
            "patients:unreachable" => self.check_unreachable,
            "staff:unreachable" => self.check_staff,
            "patients:records" => self.check_records,
            "deadman:told" => self.check_deadman,
            "jobs:retention" => self.check_retention,
            "jobs:backup" => self.check_backup,
            other => other,
        }
    }

    /// Why somebody is to be rung.
    #[must_use]
    pub fn call_reason(&self, reason: CallReason) -> &'static str {
        match reason {
            CallReason::MissedInARow => self.call_missed_in_a_row,
            CallReason::CriticalMissed => self.call_critical_missed,
            CallReason::Unreachable => self.call_unreachable,
            CallReason::InDoubt => self.call_in_doubt,
            CallReason::RedFlag => self.call_red_flag,
            CallReason::CheckIn => self.call_check_in,
            CallReason::Stopped => self.call_stopped,
            CallReason::Advice => self.call_advice,
            CallReason::Refill => self.call_refill,
            CallReason::Caregiver => self.call_caregiver,
        }
    }

    /// The label of a role.
    #[must_use]
    pub fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Viewer => self.viewer,
            Role::Nurse => self.nurse,
            Role::Doctor => self.doctor,
        }
    }
}
