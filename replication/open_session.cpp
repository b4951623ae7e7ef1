#include <optional>
#include <span>
#include <stdexcept>

#include "protocol/authentication_error.hpp"
#include "replication/startup.hpp"

namespace pgcourier::replication {
namespace {

using config::SslMode;
using config::TargetSessionAttrs;
using protocol::ServerError;

std::vector<Use> tls_uses(SslMode mode) {
  switch (mode) {
    case SslMode::disable:
      return {Use::never};
    case SslMode::allow:
      return {Use::never, Use::insist};
    case SslMode::prefer:
      return {Use::if_offered, Use::never};
    case SslMode::require:
    case SslMode::verify_ca:
    case SslMode::verify_full:
      break;
  }
  return {Use::insist};
}

// The ways to encrypt at one address, in libpq's order. Never over a Unix-domain socket, whatever
// sslmode says. GSSAPI satisfies any sslmode.
std::vector<EncryptionUse> encryption_uses(const config::ConnectionTarget& target,
                                           const Endpoint& endpoint) {
  const bool gss_required = target.gss_enc_mode == config::GssEncMode::require;
  if (endpoint.is_unix()) {
    if (gss_required) {
      throw protocol::AuthenticationError(
          endpoint.text + ": gssencmode=require, but a Unix-domain socket is never encrypted");
    }
    return {EncryptionUse{Use::never, Use::never}};
  }
  if (gss_required) return {EncryptionUse{Use::insist, Use::never}};
  const std::vector<Use> tls_ways = tls_uses(target.ssl_mode);
  std::vector<EncryptionUse> uses;
  uses.reserve(tls_ways.size() + 1);
  for (const Use tls : tls_ways) uses.push_back(EncryptionUse{Use::never, tls});
  if (target.gss_enc_mode == config::GssEncMode::prefer) {
    uses.insert(uses.begin(), EncryptionUse{Use::if_offered, uses.front().tls});
  }
  return uses;
}

// Where GSSAPI came to nothing the same connection has gone the next way already.
bool next_was_tried(const EncryptionUse& use, const Attempt& attempt) {
  return use.gss == Use::if_offered && !attempt.by_gss;
}

// What was tried, for the message when nothing worked.
class Attempts {
 public:
  void failed(const std::string& why) {
    if (!report_.empty()) report_ += "; ";
    report_ += why;
  }
  [[noreturn]] void give_up() const {
    throw ConnectionError(report_.empty() ? "no host to connect to" : report_);
  }

 private:
  std::string report_;
};

// Of a refusal with encryption and one without, the one that tells more: "no pg_hba.conf entry"
// (28000) is what a server says that wants the other kind.
const ServerError& telling(const ServerError& first, const ServerError& second) {
  return second.sqlstate() == "28000" ? first : second;
}

// Asks one address in each way that gssencmode and sslmode allow. Empty: the next one is to be
// tried.
asio::awaitable<std::optional<OpenedSession>> try_endpoint(
    asio::io_context& io, const OpenRequest& request, const config::Host& host,
    const Endpoint& endpoint, TargetSessionAttrs wanted, Attempts& attempts) {
  const auto uses = encryption_uses(request.target, endpoint);
  std::optional<ServerError> refusal;
  std::size_t next = 0;
  while (next < uses.size()) {
    const EncryptionUse use = uses[next];
    ++next;
    Attempt attempt;
    try {
      OpenedSession session = co_await start_session(io, request, host, endpoint, use, attempt);
      const std::string mismatch = co_await session_mismatch(session, wanted);
      if (mismatch.empty()) {
        session.stream->transport().clear_deadline();
        session.host.address = endpoint.numeric;
        co_return session;
      }
      attempts.failed(endpoint.text + ": " + mismatch);
      co_return std::nullopt;
    } catch (const protocol::GssEncryptionRefused&) {
      if (next == uses.size()) throw;
      continue;
    } catch (const ServerError& error) {
      if (error.sqlstate() == "57P03") {  // cannot_connect_now: starting up, shutting down
        attempts.failed(endpoint.text + ": " + error.what());
        co_return std::nullopt;
      }
      if (next_was_tried(use, attempt)) ++next;
      // Only a refusal to let us in may have to do with encryption.
      if (next == uses.size() || !error.sqlstate().starts_with("28")) {
        throw ServerError(refusal ? telling(*refusal, error) : error);
      }
      refusal = refusal ? telling(*refusal, error) : error;
    } catch (const protocol::AuthenticationError&) {
      if (refusal) throw ServerError(*refusal);  // of a wrong password, say
      throw;
    } catch (const ConnectionError& error) {
      if (refusal) throw ServerError(*refusal);
      attempts.failed(error.what());
      if (!attempt.encryption_failed) co_return std::nullopt;
      if (next_was_tried(use, attempt)) ++next;
    }
  }
  co_return std::nullopt;
}

}  // namespace

asio::awaitable<OpenedSession> open_session(asio::io_context& io, const OpenRequest& request) {
  const TargetSessionAttrs attrs = request.target.target_session_attrs;
  const std::vector<TargetSessionAttrs> rounds =
      attrs == TargetSessionAttrs::prefer_standby
          ? std::vector{TargetSessionAttrs::standby, TargetSessionAttrs::any}
          : std::vector{attrs};
  Attempts attempts;
  for (const TargetSessionAttrs wanted : rounds) {
    for (const config::Host& host : request.target.hosts) {
      std::vector<Endpoint> endpoints;
      try {
        endpoints = co_await resolve(host);
      } catch (const ConnectionError& error) {
        attempts.failed(error.what());
      }
      for (const Endpoint& endpoint : endpoints) {
        auto session = co_await try_endpoint(io, request, host, endpoint, wanted, attempts);
        if (session) co_return std::move(*session);
      }
    }
  }
  attempts.give_up();
}

}  // namespace pgcourier::replication
