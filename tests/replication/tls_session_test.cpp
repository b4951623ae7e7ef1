// What the server may choose by ALPN, and whether it asks for our certificate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "replication/tls.hpp"
#include "tests/replication/tls_certificate.hpp"

namespace pgcourier::replication {
namespace {

using test::Certificate;
using testing::AnyOf;
using testing::HasSubstr;

// A certificate and its key in one file.
class CertificateFile {
 public:
  CertificateFile() {
    const Certificate made;
    std::FILE* file = std::fopen(path_.c_str(), "w");
    PEM_write_X509(file, made.certificate.get());
    PEM_write_PrivateKey(file, made.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    std::filesystem::permissions(path_, std::filesystem::perms(0600));
  }
  ~CertificateFile() { std::filesystem::remove(path_); }
  CertificateFile(const CertificateFile&) = delete;
  CertificateFile& operator=(const CertificateFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("certificate-" + std::to_string(::getpid())))
          .string();
};

int take_any_certificate(int /*verified*/, X509_STORE_CTX* /*store*/) { return 1; }

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
  TlsPeer(int socket, std::string protocol, bool asks_for_certificate)
      : protocol_(std::move(protocol)),
        asks_for_certificate_(asks_for_certificate),
        thread_([this, socket] { serve(socket); }) {}
  ~TlsPeer() { thread_.join(); }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

 private:
  void serve(int socket) {
    const std::unique_ptr<SSL_CTX, FreeSsl> context(SSL_CTX_new(TLS_server_method()));
    const Certificate own;
    SSL_CTX_use_certificate(context.get(), own.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), own.key.get());
    if (asks_for_certificate_) {
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, take_any_certificate);
    }
    SSL_CTX_set_alpn_select_cb(context.get(), choose, &protocol_);
    const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), socket);
    SSL_accept(ssl.get());
    ::close(socket);
  }

  std::string protocol_;
  bool asks_for_certificate_;
  std::thread thread_;
};

// "taken", "taken with a certificate", or why not.
std::string handshake(const config::ConnectionTarget& target, const std::string& chosen,
                      bool asks_for_certificate = false) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) != 0) return "no sockets";
  std::string outcome = "taken";
  std::optional<TlsPeer> peer;
  peer.emplace(sockets[1], chosen, asks_for_certificate);
  const TlsContext context(target);
  try {
    TlsSession session(context, {}, sockets[0]);
    while (session.handshake() != Wants::nothing) {
    }
    if (session.sent_certificate()) outcome += " with a certificate";
  } catch (const std::runtime_error& error) {
    outcome = error.what();
  }
  // Only then closed: OpenSSL's server still writes, and a closed peer would end the process.
  ::shutdown(sockets[0], SHUT_WR);
  peer.reset();
  ::close(sockets[0]);
  return outcome;
}

std::string handshake(bool direct, const std::string& chosen) {
  config::ConnectionTarget target;
  target.ssl_mode = config::SslMode::require;
  target.ssl_direct = direct;
  return handshake(target, chosen);
}

TEST(TlsSession, KnowsWhetherItSentACertificate) {
  const CertificateFile file;
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    config::ConnectionTarget target;
    target.ssl_mode = config::SslMode::require;
    target.ssl_max_protocol_version = version;
    EXPECT_EQ(handshake(target, "", true), "taken") << version;
    target.ssl_cert = target.ssl_key = file.path();
    EXPECT_EQ(handshake(target, "", true), "taken with a certificate") << version;
    EXPECT_EQ(handshake(target, "", false), "taken") << version;
  }
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
      // OpenSSL itself refuses what was not offered, if it is new enough (3.0.15).
      EXPECT_THAT(handshake(direct, other),
                  AnyOf(HasSubstr("another protocol"), HasSubstr("bad extension")))
          << other;
    }
  }
}

}  // namespace
}  // namespace pgcourier::replication
