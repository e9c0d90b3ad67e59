//! Vectors: the first was made by the platform itself, the last by its corporate sibling, those
//! between by independent implementations of the same rules.

use super::*;
use proptest::prelude::*;

struct Vector {
    token: &'static str,
    encoding_aes_key: &'static str,
    key: &'static str,
    appid: &'static str,
    timestamp: &'static str,
    nonce: &'static str,
    random: &'static [u8; 16],
    signature: &'static str,
    msg_signature: &'static str,
    message: &'static str,
    encrypted: &'static str,
}

const VECTORS: &[Vector] = &[
    Vector {
        token: "weixin",
        encoding_aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        key: "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051",
        appid: "wxbad0b45542aa0b5e",
        timestamp: "1414243737",
        nonce: "1792106704",
        random: b"fd219fb17e4d1657",
        signature: "35703636de2f9df2a77a662b68e521ce17c34db4",
        msg_signature: "6147984331daf7a1a9eed6e0ec3ba69055256154",
        message: "<xml><ToUserName><![CDATA[gh_680bdefc8c5d]]></ToUserName>\n<FromUserName><![CDATA[oIDrpjpQ8j8mBuQ8nM26HWzNEZgg]]></FromUserName>\n<CreateTime>1414243737</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[?]]></Content>\n<MsgId>6074130599188426998</MsgId>\n</xml>",
        encrypted: "MNn4+jJ/VsFh2gUyKAaOJArwEVYCvVmyN0iXzNarP3O6vXzK62ft1/KG2/XPZ4y5bPWU/jfIfQxODRQ7sLkUsrDRqsWimuhIT8Eq+w4E/28m+XDAQKEOjWTQIOp1p6kNsIV1DdC3B+AtcKcKSNAeJDr7x7GHLx5DZYK09qQsYDOjP6R5NqebFjKt/NpEl/GU3gWFwG8LCtRNuIYdK5axbFSfmXbh5CZ6Bk5wSwj5fu5aS90cMAgUhGsxrxZTY562QR6c+3ydXxb+GHI5w+qA+eqJjrQqR7u5hS+1x5sEsA7vS+bZ5LYAR3+PZ243avQkGllQ+rg7a6TeSGDxxhvLw+mxxinyk88BNHkJnyK//hM1k9PuvuLAASdaud4vzRQlAmnYOslZl8CN7gjCjV41skUTZv3wwGPxvEqtm/nf5fQ=",
    },
    Vector {
        token: "emulatortoken",
        encoding_aes_key: "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR",
        key: "916c4f115d94103cb15a998f74a0b71787603c398ebdf297d471a71140d2d5a4",
        appid: "wx5f0a1b2c3d4e5f60",
        timestamp: "1714112445",
        nonce: "415670741",
        random: b"1234567890123456",
        signature: "baed0053f6711ecaf09eb47fe631c73c25be8f51",
        msg_signature: "7527e2ef964245d691e87451c6d6d1ab712da607",
        message: "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>\n<FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></FromUserName>\n<CreateTime>1714112445</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[已服药😀 <1>]]></Content>\n<MsgId>24000000000000001</MsgId>\n</xml>",
        encrypted: "9s4gMv99m88kKTh/H8IdkPdTX4O1fN8yaDjjYYgn49BlxnozAzbM2jggAzQZXY391/UynSqJbs9hIvgxc5RGkwtVgihH62IgahaDcSF0ORTkPZUAfOgX08Rt6p67OWdctpgVKJ1e803t8Sr09vgWjLpAhRc0MSFyrAJfRw3tgxGO3G8h+1nLjuj9ICdKZV8d1dt/WZWdNfitg/t9aHLxXAMR5SHkjpAXii7kbPUcgM8GH3miRAkk5MH6jjG7lQzf+yg4by/nfI+GWhjGt5d6pg/YhFw+JpsHqOVux6Wfa+0cQMicoft8Gy3IatWlI+Ibpt/l7t7QSMr7VQYbtrWC3JSaoxutHz4me50bjkwgRKYDVpetwiGd3rHcbcF94UsxEEI/gUU538D6LQHN0xDYAo2KaHHga7WptToFzbYtH3uHbEuVmhkM7aDOwcq/YQH/yh8HYcODGQt1+z9fTQI+MQ==",
    },
    Vector {
        token: "AAAAA",
        encoding_aes_key: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
        key: "69b71d79f8218a39259a7a29aabb2dbafc31cb300108310518720928b30d38f4",
        appid: "wxba5fad812f8e6fb9",
        timestamp: "1409735669",
        nonce: "1320562132",
        random: b"aBcDeFgHiJkLmNoP",
        signature: "f191fcf3aa7f8d16ac46259478ef305ace6c5261",
        msg_signature: "2aab849d288b3c29418368f83af50e36c47d050d",
        message: "<xml><ToUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]></ToUserName><FromUserName><![CDATA[gh_7f083739789a]]></FromUserName><CreateTime>1409735669</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[OK]]></Content></xml>",
        encrypted: "x5x3Ygf6dfiTSws3DDQ8Qgeb9DYmUU+4gXUPljUp6kqROVXHyd4PG7N4f2cQWftbw0WMptYm2bAo/DEELYYnlIOYYcAj8pZujEdWXm80Xa5yQIqQ1Mdf/TFf0AaEY3U1RJ3jaRd1u01f7dr8KkPOUYs4A5G0zlbr4UNoaUGt+W8/mHNgwgGDhLV3O8PvLktIgo9TlHGpAT9yXWy+RHWuLJbTe2UuSODnUwuywStB6UHLZiECamP5nZ95WwyIYRUNyUtCSIzXWXjjrIp2j4BAKEuwkbLoQZZPETKzpD6akmavWB7HufZVK4KsQZBsGkHP8bPB2qllQDbnsVzCST3zFAyEiT4dc4jIP4IIIO8Z0H5jK5eH3s2QquUVUpRW+oZ7",
    },
    Vector {
        token: "emulatortoken",
        encoding_aes_key: "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR",
        key: "916c4f115d94103cb15a998f74a0b71787603c398ebdf297d471a71140d2d5a4",
        appid: "wx5f0a1b2c3d4e5f60",
        timestamp: "1700000000",
        nonce: "1",
        random: b"ABCDEFGHIJKLMNOP",
        signature: "6549d23d1899ca3135f4e75f1e91eb112ee58501",
        msg_signature: "f483773f98f6739e4b7f78c3d286dd95e460338b",
        message: "xxxxxxxxxxxxxxxxxxxxxxxxxx",
        encrypted: "5/7EKO/F17neLcMRga8b9qdeoL5CbmSLR3YFDRkf8xfdUgSCR9+Ilp6fvth9zcuKkRc2Y+XrgsLlDyMW0/b586olMT8/kjrKVqpnoDJbSdl3agU/KSaU1eH4uADFYGuq",
    },
    Vector {
        token: "emulatortoken",
        encoding_aes_key: "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR",
        key: "916c4f115d94103cb15a998f74a0b71787603c398ebdf297d471a71140d2d5a4",
        appid: "wx5f0a1b2c3d4e5f60",
        timestamp: "1700000000",
        nonce: "2",
        random: b"ABCDEFGHIJKLMNOP",
        signature: "412921deb319c59ed1f1a89a143dd2bfc0b5a73b",
        msg_signature: "c29d3b6c2fa444ddd7583ddc67b54c2b73bdf556",
        message: "yyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        encrypted: "5/7EKO/F17neLcMRga8b9h8FSMhsVAL7CvunOeJm/rc2qUjMYe3VwVTCg3/BnKRL7fSPq3TtVSo0tUQYiFq1ugUfez0rC8fV5csiim/nwPg7S0KqMUtBsK9UfLBMXLe0",
    },
];

const KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

fn cipher(appid: &str) -> Cipher {
    Cipher::new(KEY, appid).expect("a good key")
}

fn decrypted(cipher: &Cipher, encrypted: &str) -> Result<String, CryptoError> {
    let bytes = cipher.decrypt(encrypted)?;
    Ok(String::from_utf8(bytes).expect("these messages are texts"))
}

/// Encrypts bytes as they are, without anything around them.
fn sealed(key: &Cipher, plain: &[u8]) -> String {
    let mut text = plain.to_vec();
    let whole = text.len();
    let cipher = cbc::Encryptor::<Aes256>::new(&key.key.into(), &key.vector().into());
    let encrypted = cipher.encrypt_padded_mut::<NoPadding>(&mut text, whole);
    BASE64.encode(encrypted.expect("whole blocks"))
}

#[test]
fn every_vector_is_read_as_others_read_it_and_written_as_others_write_it() {
    for vector in VECTORS {
        let cipher = Cipher::new(vector.encoding_aes_key, vector.appid).expect("a good key");
        let mut key = String::new();
        for byte in cipher.key {
            write!(key, "{byte:02x}").expect("a String takes any text");
        }
        assert_eq!(key, vector.key);
        assert_eq!(
            decrypted(&cipher, vector.encrypted).as_deref(),
            Ok(vector.message)
        );
        assert_eq!(
            cipher.encrypt(*vector.random, vector.message),
            vector.encrypted
        );
        let basis = [vector.token, vector.timestamp, vector.nonce];
        assert_eq!(signature(&basis), vector.signature);
        assert!(is_signature(vector.signature, &basis));
        let whole = [basis.as_slice(), &[vector.encrypted]].concat();
        assert!(is_signature(vector.msg_signature, &whole));
        assert!(!is_signature(vector.signature, &whole));
    }
    assert_eq!(VECTORS.len(), 5);
}

#[test]
fn short_and_corporate_vectors_are_read_too() {
    assert_eq!(
        cipher("rust").encrypt(*b"1234567890123456", "test"),
        "9s4gMv99m88kKTh/H8IdkNiFGeG9pd7vNWl50fGRWXY="
    );
    let encrypted =
        "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==";
    assert!(is_signature(
        "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96",
        &["123456", "1411443780", "437374425", encrypted]
    ));
    let cipher = cipher("wx49f0ab532d5d035a");
    let message = decrypted(&cipher, encrypted);
    assert_eq!(message.as_deref(), Ok("5927782489442352469"));
    assert_eq!(
        cipher.encrypt(*b"2304fc2fe146f1f8", "5927782489442352469"),
        encrypted
    );
}

#[test]
fn the_signature_of_the_documentation_comes_out_and_nothing_near_it_passes() {
    let parts = ["AAAAA", "1714037059", "486452656"];
    let good = "899cf89e464efb63f54ddac96b0a0a235f53aa78";
    assert_eq!(signature(&parts), good);
    assert!(is_signature(good, &["486452656", "AAAAA", "1714037059"]));
    for bad in [
        "",
        "899cf89e464efb63f54ddac96b0a0a235f53aa7",
        "899cf89e464efb63f54ddac96b0a0a235f53aa788",
        "899cf89e464efb63f54ddac96b0a0a235f53aa79",
        "899CF89E464EFB63F54DDAC96B0A0A235F53AA78",
        " 899cf89e464efb63f54ddac96b0a0a235f53aa78",
    ] {
        assert!(!is_signature(bad, &parts), "{bad}");
    }
}

#[test]
fn a_key_has_43_letters_and_digits_and_its_spare_bits_are_not_looked_at() {
    let canonical = Cipher::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE", "a");
    let spare = Cipher::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "a");
    assert_eq!(
        canonical.map(|cipher| cipher.key).ok(),
        spare.map(|cipher| cipher.key).ok()
    );
    for bad in [
        "",
        &KEY[1..],
        &format!("{KEY}="),
        &format!("{KEY}A"),
        &KEY.replace('k', "+"),
        &KEY.replace('k', "\u{836f}"),
        &" ".repeat(43),
    ] {
        assert_eq!(Cipher::new(bad, "a").err(), Some(CryptoError::Key), "{bad}");
    }
}

#[test]
fn what_cannot_be_a_message_is_refused_for_what_is_wrong_with_it() {
    let own = cipher("wx1");
    let inner = |length: u32, rest: &[u8], pad: &[u8]| {
        sealed(
            &own,
            &[
                b"0123456789abcdef".as_slice(),
                &length.to_be_bytes(),
                rest,
                pad,
            ]
            .concat(),
        )
    };
    let rows: &[(&str, CryptoError)] = &[
        ("", CryptoError::Length),
        ("====", CryptoError::Base64),
        ("\u{836f}", CryptoError::Base64),
        ("AAAA", CryptoError::Length),
        (
            "9s4gMv99m88kKTh/H8IdkNiFGeG9pd7vNWl50fGRWX",
            CryptoError::Base64,
        ),
        // 1 + 3 + pad: for another account, or none.
        (
            &cipher("wx2").encrypt([7; 16], "<xml/>"),
            CryptoError::Appid,
        ),
        (&cipher("").encrypt([7; 16], "<xml/>"), CryptoError::Appid),
        (
            &cipher("wx11").encrypt([7; 16], "<xml/>"),
            CryptoError::Appid,
        ),
        // Paddings of 0, of 33, of unequal bytes, of more than there is.
        (&sealed(&own, &[0; 32]), CryptoError::Padding),
        (&sealed(&own, &[33; 64]), CryptoError::Padding),
        (
            &sealed(&own, &[[7; 31].as_slice(), &[2]].concat()),
            CryptoError::Padding,
        ),
        (&sealed(&own, &[17; 16]), CryptoError::Padding),
        // Nothing but padding, no room for the length, a length that reaches too far.
        (&sealed(&own, &[32; 32]), CryptoError::Inner),
        (
            &sealed(&own, &[[7; 14].as_slice(), &[18; 18]].concat()),
            CryptoError::Inner,
        ),
        (&inner(4, b"wx1", &[9; 9]), CryptoError::Inner),
        (&inner(u32::MAX, b"wx1", &[9; 9]), CryptoError::Inner),
        // The length eats into the appid.
        (&inner(1, b"wx1", &[9; 9]), CryptoError::Appid),
    ];
    for (encrypted, error) in rows {
        assert_eq!(own.decrypt(encrypted), Err(*error), "{encrypted}");
    }
    assert_eq!(
        decrypted(&own, &inner(0, b"wx1", &[9; 9])).as_deref(),
        Ok("")
    );
}

#[test]
fn errors_say_nothing_of_what_was_encrypted() {
    let encrypted = cipher("wx-somebody").encrypt([7; 16], "secret words");
    let error = cipher("wx-own").decrypt(&encrypted).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("wx-"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn what_is_encrypted_is_decrypted_and_padded_to_32(
        message in ".{0,200}",
        random: [u8; 16],
        appid in "[a-z0-9]{0,24}",
    ) {
        let cipher = cipher(&appid);
        let encrypted = cipher.encrypt(random, &message);
        let bytes = BASE64.decode(&encrypted).expect("base64").len();
        prop_assert_eq!(bytes % 32, 0);
        prop_assert!(bytes > 20 + message.len() + appid.len());
        prop_assert!(bytes <= 20 + message.len() + appid.len() + 32);
        prop_assert_eq!(decrypted(&cipher, &encrypted), Ok(message));
    }

    #[test]
    fn a_text_that_was_changed_never_passes_its_signature_and_never_panics(
        at: prop::sample::Index,
        bit in 0_u8..8,
    ) {
        let vector = &VECTORS[0];
        let mut bytes = BASE64.decode(vector.encrypted).expect("base64");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let changed = BASE64.encode(bytes);
        let parts = [vector.token, vector.timestamp, vector.nonce, &changed];
        prop_assert!(!is_signature(vector.msg_signature, &parts));
        let cipher = Cipher::new(vector.encoding_aes_key, vector.appid).expect("a good key");
        prop_assert_ne!(cipher.decrypt(&changed), Ok(vector.message.as_bytes().to_vec()));
    }

    #[test]
    fn no_text_makes_it_panic(encrypted in "[A-Za-z0-9+/= \u{4e00}]{0,200}", blocks in prop::collection::vec(any::<[u8; 16]>(), 0..8)) {
        let cipher = cipher("wx1");
        let _ = cipher.decrypt(&encrypted);
        let _ = cipher.decrypt(&BASE64.encode(blocks.concat()));
        let _ = cipher.decrypt(&sealed(&cipher, &blocks.concat()));
    }
}
