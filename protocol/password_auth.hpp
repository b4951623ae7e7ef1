// The answer to AuthenticationMD5Password, §55.2.1.
#pragma once

#include <string>
#include <string_view>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// "md5" + md5(md5(password + user) + salt), in hexadecimal. Throws AuthenticationError where
// OpenSSL refuses MD5 (FIPS).
std::string md5_password(std::string_view password, std::string_view user, ByteView salt);

}  // namespace pgcourier::protocol
