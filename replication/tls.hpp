// TLS as libpq does it, §55.2.10: what to trust, who we are, and one session over a socket.
#pragma once

#include <openssl/ssl.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "config/connection_string.hpp"
#include "replication/secure_session.hpp"

namespace pgcourier::replication {

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Certificates, key and protocol versions from the target's ssl… keywords, read once.
class TlsContext {
 public:
  // Throws config::SettingsError where a file can't be used or a keyword contradicts another.
  explicit TlsContext(const config::ConnectionTarget& target);

  SSL_CTX* get() const { return context_.get(); }
  bool verifies_host() const { return verifies_host_; }
  bool sends_sni() const { return sends_sni_; }
  bool needs_alpn() const { return needs_alpn_; }

 private:
  void trust(const config::ConnectionTarget& target);
  void identify(const config::ConnectionTarget& target);

  std::unique_ptr<SSL_CTX, FreeSsl> context_;
  bool verifies_host_ = false;
  bool sends_sni_ = true;
  bool needs_alpn_ = false;
};

class TlsSession : public SecureSession {
 public:
  // `host`: whose name the certificate must have if the context asks for that.
  TlsSession(const TlsContext& context, const config::Host& host, int socket);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // A server that chooses another protocol than `postgresql` (ALPN) is refused; one that chooses
  // none only if TLS was not asked for first.
  Wants handshake() override;

  Encryption kind() const override { return Encryption::tls; }
  Outcome read(char* into, std::size_t size) override;
  Outcome write(const char* from, std::size_t size) override;
  void shutdown() override;
  bool sent_certificate() const override;
  std::optional<std::string> certificate_hash() const override;

 private:
  Wants wants_after(int result, const char* what);
  bool ended(int result) const;
  void keep_error(int result);
  void check_alpn() const;

  std::unique_ptr<SSL, FreeSsl> ssl_;
  bool needs_alpn_;
  bool certificate_requested_ = false;
  std::exception_ptr read_error_;  // that came behind bytes
};

}  // namespace pgcourier::replication
