//! The labels of the pages, in one table: a label that lacks one of the two languages does not
//! compile.

use crate::engine::Role;
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
    back: "Back", "返回";
    // System.
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
