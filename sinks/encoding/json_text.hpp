// What every JSON encoder appends to its buffer: strings, numbers, positions, base64.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/lsn.hpp"
#include "sinks/encoding/text_buffer.hpp"

namespace pgcourier::sinks::encoding {

// `text` in quotes, escaped. A database in SQL_ASCII or with bytes smuggled in can send what isn't
// UTF-8; JSON can't hold it, so each byte that belongs to no character becomes U+FFFD.
void append_json_string(TextBuffer& out, std::string_view text);

// The same without the quotes, for a string made of parts.
void append_json_string_part(TextBuffer& out, std::string_view text);

// `json` as it is, on one line: control characters, which in valid JSON are white space between
// tokens, become blanks. Bytes that aren't UTF-8 become U+FFFD.
void append_embedded_json(TextBuffer& out, std::string_view json);

void append_number(TextBuffer& out, std::uint64_t number);

// "16/B374D848" without quotes.
void append_lsn(TextBuffer& out, protocol::Lsn lsn);

// Without quotes.
void append_base64(TextBuffer& out, std::string_view bytes);

// The base64 of the bytes that `hex` (two digits a byte, either case) stands for. False if it isn't
// hex; then `out` is unchanged.
bool append_base64_of_hex(TextBuffer& out, std::string_view hex);

// Whether `text` is a number as JSON has it: no leading zero or plus sign, no NaN.
bool is_json_number(std::string_view text);

}  // namespace pgcourier::sinks::encoding
