// SASLprep of passwords for SCRAM, §55.3, RFC 4013 and 3454.
#pragma once

#include <string>
#include <string_view>

namespace pgcourier::protocol {

// As the server does it when it stores a password, and libpq when it sends one: what is not UTF-8,
// or holds code points that RFC 4013 prohibits or Unicode 3.2 did not assign, or mixes directions
// of writing, stays as it is.
std::string sasl_prep(std::string_view password);

}  // namespace pgcourier::protocol
