// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, §55.3, RFC 5802 and 7677: the client's side.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/scram_proof.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// What we tell the server about channel binding, so that nobody between us can talk us out of it.
class ChannelBinding {
 public:
  // We can't, or don't want to ("n").
  static ChannelBinding unsupported();
  // We could, but the server did not offer it ("y"): a server that did will notice the lie.
  static ChannelBinding not_offered();
  // RFC 5929: `certificate_hash` of the server's certificate ("p"). Makes it SCRAM-SHA-256-PLUS.
  static ChannelBinding tls_server_end_point(std::string_view certificate_hash);

  bool bound() const { return !data_.empty(); }
  const std::string& gs2_header() const { return gs2_header_; }
  const std::string& data() const { return data_; }

 private:
  ChannelBinding(std::string gs2_header, std::string data);

  std::string gs2_header_;
  std::string data_;
};

// One authentication, in this order:
//   client → client_first()
//   server → its nonce, salt and iteration count, given to salting(), whose result takes long
//   client → client_final(), given the salted password, proves that we know it
//   server → its signature, given to verify(): it proves that the server knows it too.
// Out of order, or nonsense: ProtocolError. The server refused, or could not prove itself:
// AuthenticationError.
class ScramClient {
 public:
  // `nonce`: printable ASCII without commas, fresh for each authentication.
  ScramClient(std::string_view password, std::string_view nonce, ChannelBinding binding);
  ~ScramClient();  // wipes the secrets
  ScramClient(ScramClient&&) noexcept = default;
  ScramClient& operator=(ScramClient&&) noexcept = default;

  std::string_view mechanism() const;
  std::string client_first();
  PasswordSalting salting(ByteView server_first);
  std::string client_final(std::string_view salted_password);
  void verify(ByteView server_final);
  bool verified() const { return state_ == State::verified; }

 private:
  enum class State { start, sent_first, salting, sent_final, verified };

  State state_ = State::start;
  ChannelBinding binding_;
  std::string password_;
  std::string nonce_;
  std::string client_first_bare_;
  std::string client_final_without_proof_;
  std::string auth_message_;
  std::string server_signature_;  // expected, raw
};

}  // namespace pgcourier::protocol
