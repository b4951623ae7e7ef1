// Base64 as SCRAM wants it, RFC 4648 §4: padded, nothing skipped.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgcourier::protocol {

std::string encode_base64(std::string_view bytes);

// Empty unless `text` is exactly what encode_base64() makes.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace pgcourier::protocol
