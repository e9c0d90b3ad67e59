//! One template of a field's value, compiled.
//!
//! Most are one variable, or one with words for when it is empty: those are put together without
//! the template engine, which is spared on the way of each message. All others, and the meaning of
//! all, are minijinja's, strict: a variable that does not exist is an error.

use super::scene::{Scene, Variable};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// A field's template.
pub(super) enum Pattern {
    /// Pieces in their order.
    Pieces(Vec<Piece>),
    /// The name of a template in the engine's environment.
    Engine(String),
}

/// A piece of a simple pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Words as they stand.
    Words(String),
    /// `{{ name }}`
    Variable(Variable),
    /// `{{ name or 'words' }}`
    VariableOr(Variable, String),
}

impl Pattern {
    /// The field's value for a scene.
    pub(super) fn render(
        &self,
        engine: &Environment<'static>,
        scene: &Scene<'_>,
    ) -> Result<String, minijinja::Error> {
        match self {
            Pattern::Engine(name) => engine.get_template(name)?.render(scene.context()),
            Pattern::Pieces(pieces) => {
                let mut value = String::with_capacity(64);
                for piece in pieces {
                    value.push_str(match piece {
                        Piece::Words(words) => words,
                        Piece::Variable(variable) => scene.text(*variable),
                        Piece::VariableOr(variable, words) => match scene.text(*variable) {
                            "" => words,
                            text => text,
                        },
                    });
                }
                Ok(value)
            }
        }
    }
}

/// The engine, strict and without escaping.
pub(super) fn environment() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine
}

/// The source as pieces, if it is that simple.
pub(super) fn pieces(source: &str) -> Option<Vec<Piece>> {
    // The engine cuts a last line break off; comments, statements and white space control are its.
    if source.ends_with(['\n', '\r']) || source.contains("{%") || source.contains("{#") {
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find("{{") {
        if start > 0 {
            pieces.push(Piece::Words(rest[..start].to_owned()));
        }
        let inside = &rest[start + 2..];
        let end = inside.find("}}")?;
        pieces.push(piece(inside[..end].trim_matches(' '))?);
        rest = &inside[end + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Words(rest.to_owned()));
    }
    Some(pieces)
}

fn piece(expression: &str) -> Option<Piece> {
    let variable = |name: &str| Variable::of(name).filter(|variable| variable.is_text());
    let Some((name, words)) = expression.split_once(" or ") else {
        return variable(expression).map(Piece::Variable);
    };
    let words = words.trim_matches(' ');
    let quote = words.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let words = words.strip_prefix(quote)?.strip_suffix(quote)?;
    if words.contains([quote, '\\']) {
        return None;
    }
    variable(name.trim_matches(' ')).map(|variable| Piece::VariableOr(variable, words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Body;
    use crate::messaging::wechat::scene::{Lateness, Wording};
    use crate::messaging::wechat::tests::{dose, now, wang};
    use crate::messaging::wording::{Amounts, Stamp};
    use proptest::prelude::*;

    #[test]
    fn only_what_means_the_same_is_taken_apart() {
        let taken = [
            "",
            "words",
            "{{ patient }}",
            "{{patient}}",
            "给{{ patient }}：{{ medications }}。",
            "{{ note or '请按医嘱服用' }}",
            "{{ note or \"it's time\" }}",
            "{{ note or '' }}",
        ];
        let left = [
            "{{ late }}",
            "{{ count or 'none' }}",
            "{{ note or patient }}",
            "{{ note or 'a' or 'b' }}",
            "{{ note or 'a\\n' }}",
            "{{ note or 'a' ~ 'b' }}",
            "{{ note | upper }}",
            "{{ nobody }}",
            "{{- patient -}}",
            "{{ patient }}\n",
            "{# a comment #}",
            "{% if late %}late{% endif %}",
            "{{ '}}' }}",
            "{{ patient",
        ];
        for source in taken {
            assert!(pieces(source).is_some(), "{source}");
        }
        for source in left {
            assert!(pieces(source).is_none(), "{source}");
        }
    }

    /// Sources made of what is near the border between the two ways.
    fn sources() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "{{ patient }}",
            "{{ note }}",
            "{{note or 'x'}}",
            "{{ note or \"饭后\" }}",
            "{{  medications or '' }}",
            "{{ at }}",
            "{{ note or 'a' or 'b' }}",
            "{{ late }}",
            "{{- clinic }}",
            " ",
            "\n",
            "}",
            "}}",
            "{",
            "'",
            "药",
            "or",
        ]);
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_engine_says(source in sources(), note in "[a-z药 ]{0,4}") {
            let mut engine = environment();
            let Some(pieces) = pieces(&source) else { return Ok(()) };
            // What is no template for the engine is refused before pieces are looked at.
            if engine.add_template_owned("source", source.clone()).is_err() {
                return Ok(());
            }
            let mut line = dose("二甲双胍", "1片");
            line.note = Some(note);
            let (body, addressee) = (Body::Dose(vec![line]), wang());
            let scene = Scene::new(&body, &addressee, "诊所", Wording::Doses(Stamp::None, Amounts::Now), Lateness::At(now()));
            let ours = Pattern::Pieces(pieces).render(&engine, &scene).expect("pieces cannot fail");
            let theirs = Pattern::Engine("source".into()).render(&engine, &scene);
            prop_assert_eq!(Some(ours), theirs.ok(), "{}", source);
        }
    }
}
