#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "replication/tls.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::string_view alpn_protocol = "postgresql";

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a closed peer would end the process.
int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int bio_read(BIO* bio, char* into, int size) {
  const auto count = ::recv(socket_of(bio), into, static_cast<std::size_t>(size), 0);
  BIO_clear_retry_flags(bio);
  if (count < 0 && would_block(errno)) BIO_set_retry_read(bio);
  if (count == 0) errno = 0;  // tells wants_after() the end from an error
  return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* from, int size) {
  const auto count = ::send(socket_of(bio), from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  BIO_clear_retry_flags(bio);
  if (count < 0 && would_block(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

[[noreturn]] void fail(const std::string& reason) { throw std::runtime_error(reason); }

std::string queued_reason() {
  std::string reasons;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (!reasons.empty()) reasons += ", ";
    reasons += reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return reasons;
}

// OpenSSL calls it when the server has asked for a certificate, before it chooses one.
int note_request(SSL* /*ssl*/, void* requested) {
  *static_cast<bool*>(requested) = true;
  return 1;
}

bool is_ip_address(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

}  // namespace

TlsSession::TlsSession(const TlsContext& context, const config::Host& host, int socket)
    : ssl_(SSL_new(context.get())), needs_alpn_(context.needs_alpn()) {
  BIO* bio = ssl_ ? BIO_new(socket_method()) : nullptr;
  if (bio == nullptr) fail("out of memory");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  SSL_set_cert_cb(ssl_.get(), note_request, &certificate_requested_);

  std::array<unsigned char, alpn_protocol.size() + 1> alpn = {alpn_protocol.size()};
  std::copy(alpn_protocol.begin(), alpn_protocol.end(), alpn.begin() + 1);
  SSL_set_alpn_protos(ssl_.get(), alpn.data(), static_cast<unsigned>(alpn.size()));

  const bool numeric = is_ip_address(host.name);
  if (context.sends_sni() && !host.name.empty() && !numeric) {
    // SSL_set_tlsext_host_name() without its old-style cast.
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.name.c_str()));
  }
  if (!context.verifies_host()) return;
  if (host.name.empty()) fail("sslmode=verify-full needs a host name, not only hostaddr");
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_.get());
  // The common name counts only without a DNS name among the alternative names: the default.
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.name.c_str())
                          : X509_VERIFY_PARAM_set1_host(wanted, host.name.c_str(), 0);
  if (set != 1) fail("can't verify the host name \"" + host.name + "\"");
}

Wants TlsSession::wants_after(int result, const char* what) {
  const int error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return Wants::nothing;
    case SSL_ERROR_WANT_READ:
      return Wants::to_read;
    case SSL_ERROR_WANT_WRITE:
      return Wants::to_write;
    case SSL_ERROR_SYSCALL:
      fail(std::string(what) + ": " +
           (error == 0 ? "the server closed the connection unexpectedly"
                       : std::generic_category().message(error)));
    default:
      break;
  }
  std::string reason = queued_reason();
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict != X509_V_OK) {
    reason += std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
  }
  fail(std::string(what) + ": " + (reason.empty() ? "unknown reason" : reason));
}

Wants TlsSession::handshake() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    return wants_after(result, needs_alpn_
                                   ? "direct TLS handshake failed (PostgreSQL has it from 17 on)"
                                   : "TLS handshake failed");
  }
  check_alpn();
  return Wants::nothing;
}

void TlsSession::check_alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
  if (chosen == nullptr) {
    if (needs_alpn_) fail("direct TLS was taken by a server that did not choose PostgreSQL (ALPN)");
    return;
  }
  if (std::string_view(reinterpret_cast<const char*>(chosen), size) != alpn_protocol) {
    fail("TLS was taken by a server that chose another protocol than PostgreSQL (ALPN)");
  }
}

// With a close_notify or without one, as many servers do it: what was to come is missing anyway.
bool TlsSession::ended(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_ZERO_RETURN:
      return true;
    case SSL_ERROR_SYSCALL:
      return errno == 0;
    case SSL_ERROR_SSL:
      return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    default:
      return false;
  }
}

// OpenSSL tells it once.
void TlsSession::keep_error(int result) {
  if (ended(result)) return;
  try {
    static_cast<void>(wants_after(result, "TLS read failed"));
  } catch (const std::runtime_error&) {
    read_error_ = std::current_exception();
  }
}

SecureSession::Outcome TlsSession::read(char* into, std::size_t size) {
  if (read_error_) std::rethrow_exception(read_error_);
  Outcome outcome;
  while (outcome.bytes < size) {
    ERR_clear_error();
    errno = 0;
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), into + outcome.bytes, size - outcome.bytes, &count);
    if (result == 1) {
      outcome.bytes += count;
      continue;
    }
    if (outcome.bytes > 0) {
      keep_error(result);
      break;  // the next read meets an end again
    }
    outcome.ended = ended(result);
    if (!outcome.ended) outcome.wants = wants_after(result, "TLS read failed");
    break;
  }
  return outcome;
}

SecureSession::Outcome TlsSession::write(const char* from, std::size_t size) {
  Outcome outcome;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_write_ex(ssl_.get(), from, size, &outcome.bytes);
  if (result != 1) outcome.wants = wants_after(result, "TLS write failed");
  return outcome;
}

void TlsSession::shutdown() {
  ERR_clear_error();
  static_cast<void>(SSL_shutdown(ssl_.get()));
  ERR_clear_error();
}

bool TlsSession::sent_certificate() const {
  return certificate_requested_ && SSL_get_certificate(ssl_.get()) != nullptr;
}

std::optional<std::string> TlsSession::certificate_hash() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return std::nullopt;
  int digest_id = NID_undef;
  if (X509_get_signature_info(certificate, &digest_id, nullptr, nullptr, nullptr) != 1) {
    return std::nullopt;
  }
  if (digest_id == NID_md5 || digest_id == NID_sha1) digest_id = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_id);
  if (digest == nullptr) return std::nullopt;  // Ed25519 and the like have none
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (X509_digest(certificate, digest, hash.data(), &size) != 1) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(hash.data()), size);
}

}  // namespace pgcourier::replication
