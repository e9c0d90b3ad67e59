//! Signatures and encryption of what the platform pushes and of what is answered.
//!
//! Rules: the platform's message encryption guide
//! (<https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption>). The signature
//! is SHA-1 over sorted parts; the text is AES-256-CBC under the account's EncodingAESKey, padded to
//! 32 bytes and not to the cipher's 16, with random bytes before the message and the appid behind.
//!
//! Nothing here reads a clock or makes a random number: both are arguments.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;
use subtle::ConstantTimeEq;

/// Characters of an EncodingAESKey: 43 × 6 bits are a key of 256 and two to spare.
pub const ENCODING_AES_KEY_LENGTH: usize = 43;
/// Random bytes in front of each message.
pub const RANDOM_BYTES: usize = 16;
/// The platform pads to this.
const PAD_BYTES: usize = 32;
/// Of the cipher.
const BLOCK_BYTES: usize = 16;
/// The length of the message, big-endian.
const LENGTH_BYTES: usize = 4;

/// Text of either kind goes in with `=` and comes out with it; a key has neither, and its two
/// spare bits are seldom zero, so they are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new());
const BASE64_KEY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Why a text cannot be decrypted, or a key not be used. Holds nothing of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CryptoError {
    /// The EncodingAESKey is not 43 letters and digits.
    #[error("the EncodingAESKey does not have 43 letters and digits")]
    Key,
    /// The encrypted text is no base64.
    #[error("the encrypted text is not base64")]
    Base64,
    /// The encrypted text is no whole number of blocks, or too short for what it must hold.
    #[error("the encrypted text has an impossible length")]
    Length,
    /// The padding is not 1 to 32 bytes of their own number: another key, or a changed text.
    #[error("the padding is wrong (another EncodingAESKey?)")]
    Padding,
    /// The message's own length reaches beyond the text.
    #[error("the message inside has an impossible length")]
    Inner,
    /// The message is for another account.
    #[error("the message is for another appid")]
    Appid,
}

/// The signature of some parts: lower-case hexadecimal SHA-1 of them in ascending order.
#[must_use]
pub fn signature(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for part in sorted {
        hash.update(part);
    }
    let mut text = String::with_capacity(40);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether `given` is the signature of the parts. The time this takes says nothing of where the
/// two differ.
#[must_use]
pub fn is_signature(given: &str, parts: &[&str]) -> bool {
    signature(parts).as_bytes().ct_eq(given.as_bytes()).into()
}

/// An account's key. `Debug` is not derived: it is a secret.
#[derive(Clone)]
pub struct Cipher {
    key: [u8; 32],
    appid: String,
}

impl Cipher {
    /// Reads an EncodingAESKey, as the account's console shows it.
    ///
    /// # Errors
    /// [`CryptoError::Key`].
    pub fn new(encoding_aes_key: &str, appid: &str) -> Result<Self, CryptoError> {
        let plain = encoding_aes_key.len() == ENCODING_AES_KEY_LENGTH
            && encoding_aes_key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric());
        if !plain {
            return Err(CryptoError::Key);
        }
        let bytes = BASE64_KEY
            .decode(encoding_aes_key)
            .map_err(|_| CryptoError::Key)?;
        Ok(Self {
            key: bytes.try_into().map_err(|_| CryptoError::Key)?,
            appid: appid.to_owned(),
        })
    }

    /// Encrypts a message. `random` must be new and not to be guessed each time: it stands in for
    /// an initialisation vector, which the platform derives from the key.
    #[must_use]
    pub fn encrypt(&self, random: [u8; RANDOM_BYTES], message: &str) -> String {
        let mut text = Vec::with_capacity(
            RANDOM_BYTES + LENGTH_BYTES + message.len() + self.appid.len() + PAD_BYTES,
        );
        text.extend_from_slice(&random);
        // What is answered has at most some kilobytes.
        text.extend_from_slice(&(message.len() as u32).to_be_bytes());
        text.extend_from_slice(message.as_bytes());
        text.extend_from_slice(self.appid.as_bytes());
        let pad = PAD_BYTES - text.len() % PAD_BYTES;
        text.resize(text.len() + pad, pad as u8);
        let whole = text.len();
        let cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.vector().into());
        // It fails for a buffer that is no whole number of blocks, and this one was made to be.
        let encrypted = cipher
            .encrypt_padded_mut::<NoPadding>(&mut text, whole)
            .map(|encrypted| BASE64.encode(encrypted));
        encrypted.unwrap_or_default()
    }

    /// Decrypts a message and makes sure that it is for this account. The caller has checked its
    /// `msg_signature` before: what differs in these errors must not be learnt by trying.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn decrypt(&self, encrypted: &str) -> Result<Vec<u8>, CryptoError> {
        let mut text = BASE64
            .decode(encrypted.trim_ascii())
            .map_err(|_| CryptoError::Base64)?;
        if text.is_empty() || !text.len().is_multiple_of(BLOCK_BYTES) {
            return Err(CryptoError::Length);
        }
        let cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.vector().into());
        let plain = cipher
            .decrypt_padded_mut::<NoPadding>(&mut text)
            .map_err(|_| CryptoError::Length)?;
        let pad = usize::from(*plain.last().ok_or(CryptoError::Length)?);
        if !(1..=PAD_BYTES).contains(&pad) {
            return Err(CryptoError::Padding);
        }
        let end = plain.len().checked_sub(pad).ok_or(CryptoError::Padding)?;
        let (body, padding) = plain.split_at(end);
        if padding.iter().any(|byte| usize::from(*byte) != pad) {
            return Err(CryptoError::Padding);
        }
        let (_, rest) = body
            .split_at_checked(RANDOM_BYTES)
            .ok_or(CryptoError::Inner)?;
        let (length, rest) = rest.split_first_chunk().ok_or(CryptoError::Inner)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (message, appid) = rest.split_at_checked(length).ok_or(CryptoError::Inner)?;
        if appid == self.appid.as_bytes() {
            Ok(message.to_vec())
        } else {
            Err(CryptoError::Appid)
        }
    }

    fn vector(&self) -> [u8; BLOCK_BYTES] {
        let mut vector = [0; BLOCK_BYTES];
        vector.copy_from_slice(&self.key[..BLOCK_BYTES]);
        vector
    }
}

#[cfg(test)]
mod tests;
