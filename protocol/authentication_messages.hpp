// The Authentication… messages ('R'), §55.7, and the passwords that answer them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

struct AuthenticationOk {};
struct AuthenticationKerberosV5 {};
struct AuthenticationCleartextPassword {};
struct AuthenticationMD5Password {
  ByteView salt;  // 4 bytes
};
struct AuthenticationGSS {};
struct AuthenticationGSSContinue {
  ByteView data;
};
struct AuthenticationSSPI {};
struct AuthenticationSASL {
  std::vector<ByteView> mechanisms;  // in the server's order of preference
};
struct AuthenticationSASLContinue {
  ByteView data;
};
struct AuthenticationSASLFinal {
  ByteView data;
};
// A request no released server sends, such as SCMCredential (6) of old.
struct AuthenticationUnknown {
  std::uint32_t code = 0;
};

using AuthenticationMessage =
    std::variant<AuthenticationOk, AuthenticationKerberosV5, AuthenticationCleartextPassword,
                 AuthenticationMD5Password, AuthenticationGSS, AuthenticationGSSContinue,
                 AuthenticationSSPI, AuthenticationSASL, AuthenticationSASLContinue,
                 AuthenticationSASLFinal, AuthenticationUnknown>;

// The views point into `body`. Throws ProtocolError.
AuthenticationMessage read_authentication(ByteView body);

}  // namespace pgcourier::protocol
