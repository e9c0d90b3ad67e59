//! How much: the text of a dose (R17).

use super::{
    Fault,
    resource::{Dosage, DoseRange, Quantity},
};

/// A number of FHIR as text: no exponent, no idle zeros.
pub(super) fn number(value: f64) -> String {
    value.to_string()
}

fn unit(quantity: &Quantity) -> Option<&str> {
    [quantity.unit.as_deref(), quantity.code.as_deref()]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|unit| !unit.is_empty())
}

/// A positive number without a comparator.
pub(super) fn positive(quantity: &Quantity) -> Result<Option<f64>, Fault> {
    if let Some(comparator) = &quantity.comparator {
        return Err(Fault::new(
            "comparator",
            format!("`{comparator}` leaves open how much it is"),
        ));
    }
    match quantity.value {
        Some(value) if !(value > 0.0 && value < 1e12) => Err(Fault::new(
            "value",
            format!("{} is no amount", number(value)),
        )),
        value => Ok(value),
    }
}

/// The text of a dose: "2.5 mg", "1-2 TAB"; empty where none is given.
pub(super) fn text(dosage: &Dosage) -> Result<String, Fault> {
    let mut found: Option<String> = None;
    for (index, entry) in dosage.dose_and_rate.iter().enumerate() {
        let within = |fault: Fault| fault.within(&format!("doseAndRate[{index}]"));
        let dose = match (&entry.dose_quantity, &entry.dose_range) {
            (Some(_), Some(_)) => {
                return Err(within(Fault::new(
                    "dose[x]",
                    "there are doseQuantity and doseRange",
                )));
            }
            (Some(quantity), None) => positive(quantity)
                .map_err(|fault| within(fault.within("doseQuantity")))?
                .map(|value| with_unit(&number(value), unit(quantity))),
            (None, Some(range)) => {
                self::range(range).map_err(|fault| within(fault.within("doseRange")))?
            }
            (None, None) => None,
        };
        found = found.or(dose);
    }
    Ok(found.unwrap_or_default())
}

fn range(range: &DoseRange) -> Result<Option<String>, Fault> {
    let (Some(low), Some(high)) = (&range.low, &range.high) else {
        return if range.low.is_none() && range.high.is_none() {
            Ok(None)
        } else {
            Err(Fault::new("", "one end of the range is missing"))
        };
    };
    let from = positive(low).map_err(|fault| fault.within("low"))?;
    let to = positive(high).map_err(|fault| fault.within("high"))?;
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Fault::new("", "one end of the range has no value"));
    };
    let (unit_low, unit_high) = (unit(low), unit(high));
    if unit_low.is_some() && unit_high.is_some() && unit_low != unit_high {
        return Err(Fault::new("", "the two ends have different units"));
    }
    let unit = unit_low.or(unit_high);
    if from > to {
        return Err(Fault::new("", "it goes from the larger to the smaller"));
    }
    let numbers = if to > from {
        format!("{}-{}", number(from), number(to))
    } else {
        number(from)
    };
    Ok(Some(with_unit(&numbers, unit)))
}

fn with_unit(numbers: &str, unit: Option<&str>) -> String {
    unit.map_or_else(|| numbers.to_owned(), |unit| format!("{numbers} {unit}"))
}
