// What the server may choose by ALPN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "replication/tls.hpp"

namespace pgcourier::replication {
namespace {

using testing::HasSubstr;

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

void certify(SSL_CTX* context) {
  const std::unique_ptr<EVP_PKEY, FreeOpenssl> key(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::unique_ptr<X509, FreeOpenssl> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  SSL_CTX_use_certificate(context, certificate.get());
  SSL_CTX_use_PrivateKey(context, key.get());
}

int choose(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
           const unsigned char* /*offered*/, unsigned /*offered_size*/, void* choice) {
  const auto& protocol = *static_cast<const std::string*>(choice);
  if (protocol.empty()) return SSL_TLSEXT_ERR_NOACK;
  *chosen = reinterpret_cast<const unsigned char*>(protocol.data());
  *size = static_cast<unsigned char>(protocol.size());
  return SSL_TLSEXT_ERR_OK;
}

// The server's end of one handshake, on a thread of its own; chooses `protocol`, whatever is
// offered.
class TlsPeer {
 public:
  TlsPeer(int socket, std::string protocol)
      : protocol_(std::move(protocol)), thread_([this, socket] { serve(socket); }) {}
  ~TlsPeer() { thread_.join(); }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

 private:
  void serve(int socket) {
    const std::unique_ptr<SSL_CTX, FreeSsl> context(SSL_CTX_new(TLS_server_method()));
    certify(context.get());
    SSL_CTX_set_alpn_select_cb(context.get(), choose, &protocol_);
    const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), socket);
    SSL_accept(ssl.get());
    ::close(socket);
  }

  std::string protocol_;
  std::thread thread_;
};

// "taken", or why not.
std::string handshake(bool direct, const std::string& chosen) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) != 0) return "no sockets";
  std::string outcome = "taken";
  std::optional<TlsPeer> peer;
  peer.emplace(sockets[1], chosen);
  config::ConnectionTarget target;
  target.ssl_mode = config::SslMode::require;
  target.ssl_direct = direct;
  const TlsContext context(target);
  try {
    TlsSession session(context, {}, sockets[0]);
    while (session.handshake() != Wants::nothing) {
    }
  } catch (const std::runtime_error& error) {
    outcome = error.what();
  }
  // Only then closed: OpenSSL's server still writes, and a closed peer would end the process.
  ::shutdown(sockets[0], SHUT_WR);
  peer.reset();
  ::close(sockets[0]);
  return outcome;
}

TEST(TlsSession, TakesAServerThatChoosesPostgresql) {
  EXPECT_EQ(handshake(false, "postgresql"), "taken");
  EXPECT_EQ(handshake(true, "postgresql"), "taken");
}

TEST(TlsSession, NeedsAChoiceOnlyWhereTlsIsDirect) {
  EXPECT_EQ(handshake(false, ""), "taken");  // PostgreSQL 16 and earlier
  EXPECT_THAT(handshake(true, ""), HasSubstr("did not choose PostgreSQL"));
}

TEST(TlsSession, RefusesAServerThatChoosesSomethingElse) {
  for (const bool direct : {false, true}) {
    for (const std::string other : {"http/1.1", "postgresq", "postgresql2"}) {
      EXPECT_THAT(handshake(direct, other), HasSubstr("another protocol")) << other;
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
