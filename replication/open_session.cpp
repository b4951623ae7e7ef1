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

// The ways to treat TLS at one address, in order. Never over a Unix-domain socket, whatever sslmode
// says, as with libpq.
std::vector<TlsUse> tls_uses(SslMode mode, const Endpoint& endpoint) {
  if (endpoint.is_unix()) return {TlsUse::never};
  switch (mode) {
    case SslMode::disable:
      return {TlsUse::never};
    case SslMode::allow:
      return {TlsUse::never, TlsUse::insist};
    case SslMode::prefer:
      return {TlsUse::if_offered, TlsUse::never};
    case SslMode::require:
    case SslMode::verify_ca:
    case SslMode::verify_full:
      break;
  }
  return {TlsUse::insist};
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

// Of a refusal with TLS and one without, the one that tells more: "no pg_hba.conf entry" (28000) is
// what a server says that wants the other kind.
const ServerError& telling(const ServerError& first, const ServerError& second) {
  return second.sqlstate() == "28000" ? first : second;
}

// Asks one address in each way that sslmode allows. Empty: the next one is to be tried.
asio::awaitable<std::optional<OpenedSession>> try_endpoint(
    asio::io_context& io, const OpenRequest& request, const config::Host& host,
    const Endpoint& endpoint, TargetSessionAttrs wanted, Attempts& attempts) {
  const auto uses = tls_uses(request.target.ssl_mode, endpoint);
  std::optional<ServerError> refusal;
  for (const TlsUse use : uses) {
    const bool last = use == uses.back();
    bool tls_may_matter = false;
    try {
      OpenedSession session =
          co_await start_session(io, request, host, endpoint, use, tls_may_matter);
      const std::string mismatch = co_await session_mismatch(session, wanted);
      if (mismatch.empty()) {
        session.stream->transport().clear_deadline();
        session.host.address = endpoint.numeric;
        co_return session;
      }
      attempts.failed(endpoint.text + ": " + mismatch);
      co_return std::nullopt;
    } catch (const ServerError& error) {
      if (error.sqlstate() == "57P03") {  // cannot_connect_now: starting up, shutting down
        attempts.failed(endpoint.text + ": " + error.what());
        co_return std::nullopt;
      }
      // Only a refusal to let us in may have to do with TLS.
      if (last || !error.sqlstate().starts_with("28")) {
        throw ServerError(refusal ? telling(*refusal, error) : error);
      }
      refusal = error;
    } catch (const protocol::AuthenticationError&) {
      if (refusal) throw ServerError(*refusal);  // of a wrong password, say
      throw;
    } catch (const ConnectionError& error) {
      if (refusal) throw ServerError(*refusal);
      attempts.failed(error.what());
      if (!tls_may_matter) co_return std::nullopt;
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
