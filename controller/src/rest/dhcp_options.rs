//! `extra_dhcp_opts` of ports: read and shown.

use weft_api as api;
use weft_model::{DhcpFamily, DhcpOption};

use super::fields::Fields;

/// An option that is asked for by family and name, or (with nothing) no longer.
pub(super) type Wish = (DhcpFamily, String, Option<DhcpOption>);

/// What a request says about options; what is wrong with it is noted.
pub(super) fn read(fields: &mut Fields) -> Vec<Wish> {
    fields.objects("extra_dhcp_opts", read_one).unwrap_or_default()
}

/// The options of a new port; one without a value is none.
pub(super) fn read_new(fields: &mut Fields) -> Vec<DhcpOption> {
    read(fields).into_iter().filter_map(|(_, _, option)| option).collect()
}

fn read_one(entry: &mut Fields) -> Option<Wish> {
    let name = entry.text("opt_name").unwrap_or_default();
    let value = entry.text_or_null("opt_value").flatten();
    let family = match entry.number("ip_version") {
        None | Some(4) => DhcpFamily::V4,
        Some(6) => DhcpFamily::V6,
        Some(_) => {
            entry.fault("ip_version", "must be 4 or 6");
            return None;
        }
    };
    let Some(value) = value else { return Some((family, name, None)) };
    match DhcpOption::new(family, &name, &value) {
        Ok(option) => Some((family, name, Some(option))),
        Err(reason) => {
            let (field, reason) = reason.split_once(' ').unwrap_or(("opt_name", reason));
            entry.fault(field, reason);
            None
        }
    }
}

/// An option as it was given.
pub(super) fn show(option: &DhcpOption) -> api::ExtraDhcpOpt {
    api::ExtraDhcpOpt {
        opt_name: option.name().to_owned(),
        opt_value: Some(option.value().to_owned()),
        ip_version: Some(if option.family() == DhcpFamily::V4 { 4 } else { 6 }),
    }
}
