//! Whether a word of form ("inhaler", 打针) can be about a medicine of this name.

use super::lexicon::Manner;

/// What a name says of how it is taken; of syringes and inhalers also the substances that are
/// taken in no other way. Small letters, simplified characters.
const SIGNS: &[(Manner, &[&str])] = &[
    (
        Manner::Needle,
        &[
            "胰岛素",
            "针",
            "注射",
            "肽",
            "肝素",
            "单抗",
            "诺和锐",
            "诺和灵",
            "诺和平",
            "诺和达",
            "诺和佳",
            "诺和泰",
            "优泌",
            "甘精",
            "门冬",
            "赖脯",
            "地特",
            "德谷",
            "来得时",
            "疫苗",
            "干扰素",
            "生长激素",
            "促红素",
            "瑞林",
            "西普",
            "insulin",
            "inject",
            "heparin",
            "parin",
            "tide",
            "mab",
            "glargine",
            "lispro",
            "detemir",
            "degludec",
            "lantus",
            "humalog",
            "novorapid",
            "novolog",
            "novomix",
            "ozempic",
            "trulicity",
            "vaccine",
            "relin",
            "etanercept",
            "aflibercept",
            "abatacept",
            " pen",
        ],
    ),
    (
        Manner::Spray,
        &[
            "喷",
            "吸入",
            "气雾",
            "雾化",
            "粉雾",
            "都保",
            "准纳",
            "沙丁胺醇",
            "特罗",
            "布地奈德",
            "氟替卡松",
            "莫米松",
            "倍氯米松",
            "溴铵",
            "inhal",
            "spray",
            "puff",
            "nebul",
            "salbutamol",
            "albuterol",
            "ventolin",
            "terol",
            "budesonide",
            "fluticasone",
            "beclomet",
            "mometasone",
            "tropium",
            "symbicort",
            "seretide",
        ],
    ),
    (
        Manner::Drops,
        &[
            "滴",
            "眼",
            "口服液",
            "溶液",
            "混悬",
            "糖浆",
            "drop",
            "eye",
            "prost",
            "solution",
            "syrup",
            "suspension",
        ],
    ),
    (
        Manner::Patch,
        &[
            "贴",
            "膏",
            "patch",
            "plaster",
            "transdermal",
            "芬太尼",
            "fentanyl",
        ],
    ),
    (
        Manner::Cream,
        &[
            "膏", "霜", "凝胶", "洗剂", "搽", "涂", "cream", "ointment", "gel", "lotion",
        ],
    ),
];

/// What is swallowed.
const SWALLOWED: &[&str] = &[
    "片", "胶囊", "丸", "颗粒", "冲剂", "口服", "tablet", "capsule", "pill", "oral",
];

fn signs(manner: Manner) -> Option<&'static [&'static str]> {
    let (_, signs) = SIGNS.iter().find(|(of, _)| *of == manner)?;
    Some(signs)
}

/// Whether the name says that it is taken so.
pub(super) fn is_of(manner: Manner, name: &str) -> bool {
    let name = name.to_lowercase();
    signs(manner).is_none_or(|signs| signs.iter().any(|sign| name.contains(sign)))
}

/// Whether a verb of this manner can be about it: what is injected says so in its name; other
/// names are silent, but none that is swallowed is put on the skin.
pub(super) fn can_be(manner: Manner, name: &str) -> bool {
    if manner == Manner::Needle || is_of(manner, name) {
        return is_of(manner, name);
    }
    let name = name.to_lowercase();
    !SWALLOWED.iter().any(|sign| name.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_about_what_has_it() {
        for (manner, name, is, can) in [
            (Manner::Needle, "门冬胰岛素", true, true),
            (Manner::Needle, "二甲双胍", false, false),
            (Manner::Spray, "Salbutamol 100 mcg", true, true),
            (Manner::Spray, "Metformin", false, true),
            (Manner::Drops, "左氧氟沙星滴眼液", true, true),
            (Manner::Drops, "布林佐胺", false, true),
            (Manner::Cream, "氨氯地平片", false, false),
            (Manner::Patch, "Fentanyl patch", true, true),
            (Manner::Any, "氨氯地平片", true, true),
        ] {
            assert_eq!(is_of(manner, name), is, "{manner:?} {name}");
            assert_eq!(can_be(manner, name), can, "{manner:?} {name}");
        }
    }
}
