// What we demand of the server's authentication request: libpq's require_auth and channel_binding.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgcourier::protocol {

// libpq's names in require_auth; `none` is a server that lets us in without asking.
enum class AuthenticationMethod : std::uint8_t {
  password,
  md5,
  gss,
  sspi,
  scram_sha_256,
  oauth,
  none,
};

class AuthenticationPolicy {
 public:
  // `require_auth`: a list of methods, all with "!" or none; empty: any. `channel_binding`:
  // disable | prefer | require. Throws AuthenticationError for anything else.
  AuthenticationPolicy(std::string_view require_auth, std::string_view channel_binding);

  // A downgrade is AuthenticationError, before anything secret is sent.
  void check_request(AuthenticationMethod method) const;

  // At AuthenticationOk. `completed`: we have done our part of a method that was allowed.
  void check_outcome(bool completed, bool channel_bound) const;

  bool allows(AuthenticationMethod method) const;
  bool binding_required() const { return binding_ == Binding::require; }
  bool binding_disabled() const { return binding_ == Binding::disable; }

 private:
  enum class Binding { disable, prefer, require };

  std::uint8_t allowed_methods_;  // one bit a method
  Binding binding_;
};

}  // namespace pgcourier::protocol
