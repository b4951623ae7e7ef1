#include "protocol/authentication_messages.hpp"

namespace pgcourier::protocol {
namespace {

AuthenticationSASL read_mechanisms(WireReader& in) {
  AuthenticationSASL message;
  while (in.ok()) {
    const ByteView mechanism = in.c_string();
    if (mechanism.empty()) break;  // the end of the list
    message.mechanisms.push_back(mechanism);
  }
  return message;
}

AuthenticationMessage read_request(WireReader& in) {
  const std::uint32_t code = in.u32();
  switch (code) {
    case 0:
      return AuthenticationOk{};
    case 2:
      return AuthenticationKerberosV5{};
    case 3:
      return AuthenticationCleartextPassword{};
    case 5:
      return AuthenticationMD5Password{.salt = in.bytes(4)};
    case 7:
      return AuthenticationGSS{};
    case 8:
      return AuthenticationGSSContinue{.data = in.rest()};
    case 9:
      return AuthenticationSSPI{};
    case 10:
      return read_mechanisms(in);
    case 11:
      return AuthenticationSASLContinue{.data = in.rest()};
    case 12:
      return AuthenticationSASLFinal{.data = in.rest()};
    default:
      in.rest();
      return AuthenticationUnknown{.code = code};
  }
}

}  // namespace

AuthenticationMessage read_authentication(ByteView body) {
  WireReader in(body);
  AuthenticationMessage message = read_request(in);
  in.finish("Authentication");
  return message;
}

}  // namespace pgcourier::protocol
