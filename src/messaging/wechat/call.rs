//! The calls of the API that carry a token, by their paths below `cgi-bin/`.

pub(super) const TEMPLATE_SEND: &str = "message/template/send";
pub(super) const CUSTOM_SEND: &str = "message/custom/send";
pub(super) const CODE_CREATE: &str = "qrcode/create";
