//! An environment, `NAME=VALUE` entries that NULs end: in JSON an object. A value that is not UTF-8 is
//! written as [`super::octets`] has it; an entry with another name cannot be.

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::octets::{Octets, OwnedOctets};
use super::pairs;

pub(crate) fn serialize<S: Serializer>(entries: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return entries.serialize(serializer);
    }
    let mut map = serializer.serialize_map(None)?;
    for entry in entries.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let end = entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len());
        let name = str::from_utf8(&entry[..end])
            .map_err(|_| S::Error::custom("the name of a variable is not UTF-8"))?;
        let value = entry.get(end + 1..).unwrap_or_default();
        map.serialize_entry(name, &Octets(value))?;
    }
    map.end()
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    if !deserializer.is_human_readable() {
        return Bytes::deserialize(deserializer);
    }
    let mut entries = BytesMut::new();
    for (name, OwnedOctets(value)) in pairs::read(deserializer)? {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(D::Error::custom(format!("{name:?} cannot be the name of a variable")));
        }
        if value.contains(&0) {
            return Err(D::Error::custom(format!("the value of {name:?} has a NUL in it")));
        }
        entries.put_slice(name.as_bytes());
        entries.put_u8(b'=');
        entries.put_slice(&value);
        entries.put_u8(0);
    }
    Ok(entries.freeze())
}
