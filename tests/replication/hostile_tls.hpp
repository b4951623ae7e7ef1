// The server's end of TLS, record by record, so that each may be spoiled.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "replication/tls.hpp"
#include "tests/replication/scripted_server.hpp"
#include "tests/replication/tls_certificate.hpp"

namespace pgcourier::replication::test {

inline int choose_postgresql(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                             const unsigned char* /*offered*/, unsigned /*offered_size*/,
                             void* /*unused*/) {
  static constexpr std::string_view protocol = "postgresql";
  *chosen = reinterpret_cast<const unsigned char*>(protocol.data());
  *size = protocol.size();
  return SSL_TLSEXT_ERR_OK;
}

inline SSL_CTX* tls_server_context() {
  static const std::unique_ptr<SSL_CTX, FreeSsl> context = [] {
    std::unique_ptr<SSL_CTX, FreeSsl> made(SSL_CTX_new(TLS_server_method()));
    const Certificate own;
    SSL_CTX_use_certificate(made.get(), own.certificate.get());
    SSL_CTX_use_PrivateKey(made.get(), own.key.get());
    SSL_CTX_set_alpn_select_cb(made.get(), choose_postgresql, nullptr);
    return made;
  }();
  return context.get();
}

constexpr std::size_t record_header_bytes = 5;

// Whether a client must take one record for the other one. RFC 8446 5: ChangeCipherSpec says
// nothing in TLS 1.3 and may come at any time; 5.1: the version of a record in clear "MUST be
// ignored for all purposes", of which OpenSSL ignores the second byte.
inline bool same_record(const std::string& record, const std::string& good) {
  static const std::string change_cipher_spec = "\x14\x03\x03\0\1\1"s;
  constexpr char handshake_in_clear = 0x16;
  if (record == good) return true;
  if (good == change_cipher_spec) return record.empty() || record == good + good;
  if (record == good + change_cipher_spec) return true;
  std::string with_its_version = record;
  if (record.size() > 2 && good[0] == handshake_in_clear) with_its_version[2] = good[2];
  return with_its_version == good;
}

class TlsPeer : public Peer {
 public:
  using SendRecord = std::function<void(const std::string& record)>;

  TlsPeer(const Peer& under, SendRecord send_record)
      : Peer(::dup(under.socket())),
        send_record_(std::move(send_record)),
        ssl_(SSL_new(tls_server_context())) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
  }

  // Whether the client has agreed.
  bool accept() {
    return until_done([this] { return SSL_do_handshake(ssl_.get()); });
  }
  void send(const std::string& plain) override {
    if (plain.empty()) return;
    SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    send_records();
  }
  std::string read(std::size_t size) override {
    std::string plain;
    while (plain.size() < size) {
      std::size_t count = 0;
      std::string piece(size - plain.size(), '\0');
      const bool read =
          until_done([&] { return SSL_read_ex(ssl_.get(), piece.data(), piece.size(), &count); });
      if (!read) break;
      plain.append(piece, 0, count);
    }
    return plain;
  }

 private:
  // Feeds OpenSSL from the socket as long as that is what it lacks.
  template <typename Operation>
  bool until_done(const Operation& operation) {
    for (;;) {
      const int result = operation();
      send_records();
      if (result == 1) return true;
      if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return false;
      std::array<char, 4096> bytes;
      const auto count = ::recv(socket(), bytes.data(), bytes.size(), 0);
      if (count <= 0) return false;
      BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(count));
    }
  }
  void send_records() {
    BIO* const out = SSL_get_wbio(ssl_.get());
    std::string bytes(BIO_ctrl_pending(out), '\0');
    if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    for (std::size_t at = 0; at < bytes.size();) {
      const auto high = static_cast<unsigned char>(bytes[at + 3]);
      const auto low = static_cast<unsigned char>(bytes[at + 4]);
      const std::size_t size = record_header_bytes + high * 256U + low;
      send_record_(bytes.substr(at, size));
      at += size;
    }
  }

  SendRecord send_record_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace pgcourier::replication::test
