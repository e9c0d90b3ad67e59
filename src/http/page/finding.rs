//! What is wrong with a plan's text, for whoever writes it: the finding in their language, with the
//! line it speaks of.

mod chinese;

use super::words::Words;
use crate::plan::Language;
use crate::plan::diagnostic::Diagnostic;
use maud::{Markup, html};

/// All findings, with a word on how they are read.
#[must_use]
pub fn all(words: &Words, language: Language, findings: &[Diagnostic]) -> Markup {
    html! {
        @if !findings.is_empty() { p.small { (words.findings_are) } }
        @for finding in findings {
            pre.finding tabindex="0" { (one(words, language, finding)) }
        }
    }
}

/// The same as [`Diagnostic::render`] with the file's name alone: where it lies is the server's
/// affair. What there are no words for in the reader's language stands in English, and says so to
/// screen readers.
fn one(words: &Words, language: Language, finding: &Diagnostic) -> Markup {
    let path = finding.source().path();
    let name = path.file_name().unwrap_or(path.as_os_str());
    let place = finding.position();
    let severity = if finding.is_error() {
        words.finding_error
    } else {
        words.finding_doubt
    };
    html! {
        span.said {
            (name.to_string_lossy()) ":" (place.line) ":" (place.column) ": "
            strong { (severity) } (words.colon) (said(language, finding.message()))
        }
        "\n" (finding.excerpt())
        @if let Some(help) = finding.help() {
            span.said { strong { (words.finding_help) } (words.colon) (said(language, help)) }
        }
    }
}

/// Words of a finding in a language, or as they are.
fn said(language: Language, english: &str) -> Markup {
    // As a finding is rendered: one line, whatever it quotes.
    let line = english.replace(char::is_control, " ");
    match language {
        Language::En => html! { (line) },
        Language::ZhCn => html! {
            @match chinese::translated(&line) {
                Some(words) => { (words) }
                None => { span lang="en" { (line) } }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::diagnostic::Source;

    fn shown(language: Language, text: &str) -> String {
        let defaults = crate::plan::Defaults {
            zone: crate::plan::Zone::get("Asia/Shanghai").unwrap(),
            language: Language::En,
            quiet_hours: None,
            day: crate::plan::Day::default(),
            now: None,
        };
        let source = Source::new("/var/lib/clinic/plans.d/li.toml", text);
        let findings = match crate::plan::read(&source, &defaults) {
            Ok(read) => read.warnings,
            Err(findings) => findings,
        };
        all(Words::of(language), language, &findings).into_string()
    }

    fn medication(lines: &str) -> String {
        format!("name = \"李桂芳\"\n[[medication]]\nname = \"氨氯地平\"\n{lines}\n")
    }

    #[test]
    fn a_finding_names_the_file_and_not_where_it_lies() {
        let text = medication("take = \"1片\"\nat = \"25:00\"");
        for (language, begin, help) in [
            (
                Language::En,
                "li.toml:5:6: <strong>error</strong>: ",
                "help",
            ),
            (
                Language::ZhCn,
                "li.toml:5:6: <strong>错误</strong>：",
                "建议",
            ),
        ] {
            let shown = shown(language, &text);
            assert!(
                shown.contains(&format!("<span class=\"said\">{begin}")),
                "{shown}"
            );
            assert!(!shown.contains("/var/lib"), "{shown}");
            assert!(
                shown.contains("\n  |\n5 | at = &quot;25:00&quot;\n  |      ^^^^^^^\n"),
                "{shown}"
            );
            assert!(
                shown.contains(&format!("<strong>{help}</strong>")),
                "{shown}"
            );
        }
        let right = medication("take = \"1片\"\nat = \"08:00\"");
        assert_eq!(shown(Language::ZhCn, &right), "");
    }

    /// What is written wrong most often, and what a Chinese reader is told. A message whose English
    /// words change must change in the catalogue, too.
    #[test]
    fn what_is_written_wrong_most_often_is_said_in_chinese() {
        let mut wrong = Vec::new();
        for (lines, expected) in [
            (
                "take = \"1片\"\nat = \"25:00\"",
                "一天里没有 25:00 这个时间",
            ),
            (
                "take = \"1片\"\nat = \"8.00\"",
                "`8.00` 不是时间：时间写成 HH:MM",
            ),
            (
                "take = \"1片\"\nat = 8",
                "`at` 必须是带引号的文字，而不是数字",
            ),
            ("take = \"1片\"\nat = \"mornin\"", "最接近的是 `morning`"),
            ("take = \"1片\"\nat = \"tid\"", "`tid` 是容易误读的缩写"),
            ("take = \"1片\"", "缺少 `at`"),
            ("at = \"08:00\"", "缺少 `take`"),
            ("take = \"\"\nat = \"08:00\"", "`` 不是用量"),
            (
                "take = \"tablet\"\nat = \"08:00\"",
                "`tablet` 不是用量：用量以数字开头",
            ),
            ("take = \"0片\"\nat = \"08:00\"", "用量为零不算一次用药"),
            ("take = \"1片 早上\"\nat = \"08:00\"", "用量只写多少"),
            (
                "take = \"1 or 2 tablets\"\nat = \"08:00\"",
                "用量是一个数或一个范围",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\ntaek = \"2片\"",
                "没有 `taek` 这个字段，最接近的是 `take`",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nfrequency = \"x\"",
                "没有 `frequency` 这个字段",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nat = \"09:00\"",
                "`at` 写了两次",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nend = 2026-03-01\nstart = 2026-03-02",
                "结束早于开始",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nfor = \"7 days\"",
                "`for` 从开始日算起，而这里没有开始日",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\ndays = \"两周一次\"",
                "是星期几？",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nstart = \"2026-03-02\"",
                "`start` 必须是不带引号的日期，而不是文字",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\ncritical = \"yes\"",
                "`critical` 必须是true 或 false，而不是文字",
            ),
            (
                "take = \"1片\"\nat = \"08:00\"\nevery = \"8 hours\"",
                "不能与",
            ),
            ("take = \"1片\"\nat = \"08:00, 08:30\"", "相隔不到一小时"),
        ] {
            let shown = shown(Language::ZhCn, &medication(lines));
            let message = shown.split("<strong>建议").next().unwrap();
            if !message.contains(expected) || message.contains("lang=\"en\"") {
                wrong.push(format!("{lines}: {message}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_there_are_no_words_for_is_marked_as_english() {
        let shown = said(Language::ZhCn, "never said <before>\n").into_string();
        assert_eq!(shown, "<span lang=\"en\">never said &lt;before&gt; </span>");
        assert_eq!(said(Language::En, "said").into_string(), "said");
    }
}
