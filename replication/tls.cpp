#include "replication/tls.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace pgcourier::replication {
namespace {

using config::SettingsError;
using config::SslMode;

// Why OpenSSL refused, and nothing left over for the next question.
std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

int protocol_version(const std::string& name, const char* keyword) {
  if (name == "TLSv1") return TLS1_VERSION;
  if (name == "TLSv1.1") return TLS1_1_VERSION;
  if (name == "TLSv1.2") return TLS1_2_VERSION;
  if (name == "TLSv1.3") return TLS1_3_VERSION;
  throw SettingsError(std::string(keyword) + ": \"" + name +
                      "\" is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3");
}

// Never a prompt: without a password an encrypted key can't be read.
int give_key_password(char* buffer, int size, int /*for_writing*/, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return 0;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

// As libpq: a private key that others can read is not private.
void check_key_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw SettingsError("sslkey: can't use private key file \"" + path +
                        "\": " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    throw SettingsError("sslkey: private key file \"" + path + "\" is not a regular file");
  }
  const mode_t forbidden = status.st_uid == 0 ? (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO);
  if ((status.st_mode & forbidden) != 0) {
    throw SettingsError("sslkey: private key file \"" + path +
                        "\" has group or world access; it must have permissions u=rw (0600) or "
                        "less if owned by the current user, or u=rw,g=r (0640) or less if owned "
                        "by root");
  }
}

bool exists(const std::string& path) {
  struct stat status {};
  return !path.empty() && ::stat(path.c_str(), &status) == 0;
}

bool needs_root(SslMode mode) { return mode == SslMode::verify_ca || mode == SslMode::verify_full; }

}  // namespace

TlsContext::TlsContext(const config::ConnectionTarget& target)
    : context_(SSL_CTX_new(TLS_client_method())),
      verifies_host_(target.ssl_mode == SslMode::verify_full),
      sends_sni_(target.ssl_sni),
      needs_alpn_(target.ssl_direct) {
  if (!context_) throw SettingsError("TLS: " + openssl_reason());
  SSL_CTX_set_options(context_.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // The walsender sends a record for each change: take many of them with one recv.
  SSL_CTX_set_read_ahead(context_.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context_.get(), 256 * 1024);

  const auto& lowest = target.ssl_min_protocol_version;
  const auto& highest = target.ssl_max_protocol_version;
  const int min = lowest.empty() ? 0 : protocol_version(lowest, "ssl_min_protocol_version");
  const int max = highest.empty() ? 0 : protocol_version(highest, "ssl_max_protocol_version");
  if (min != 0 && max != 0 && min > max) {
    throw SettingsError("ssl_min_protocol_version is above ssl_max_protocol_version");
  }
  if (SSL_CTX_set_min_proto_version(context_.get(), min) != 1 ||
      SSL_CTX_set_max_proto_version(context_.get(), max) != 1) {
    throw SettingsError("ssl_min_protocol_version, ssl_max_protocol_version: " + openssl_reason());
  }
  trust(target);
  identify(target);
}

// A root certificate that is there is used in every sslmode, so `require` with one acts like
// verify-ca.
void TlsContext::trust(const config::ConnectionTarget& target) {
  const std::string& root = target.ssl_root_cert;
  const bool system_roots = root == "system";
  if (!system_roots && !exists(root)) {
    if (!needs_root(target.ssl_mode)) return;
    throw SettingsError(
        (root.empty() ? std::string("sslrootcert: no root certificate file")
                      : "sslrootcert: root certificate file \"" + root + "\" does not exist") +
        "; provide it, use sslrootcert=system, or change sslmode so that the server's certificate "
        "is not verified");
  }
  const int loaded = system_roots ? SSL_CTX_set_default_verify_paths(context_.get())
                                  : SSL_CTX_load_verify_file(context_.get(), root.c_str());
  if (loaded != 1) {
    throw SettingsError("sslrootcert: can't read \"" + root + "\": " + openssl_reason());
  }
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  if (target.ssl_crl.empty() && target.ssl_crl_dir.empty()) return;
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  if (!target.ssl_crl.empty() && X509_STORE_load_file(store, target.ssl_crl.c_str()) != 1) {
    throw SettingsError("sslcrl: can't read \"" + target.ssl_crl + "\": " + openssl_reason());
  }
  // Looked into when a certificate is verified: without the list of its issuer that fails.
  if (!target.ssl_crl_dir.empty() && X509_STORE_load_path(store, target.ssl_crl_dir.c_str()) != 1) {
    throw SettingsError("sslcrldir: can't use \"" + target.ssl_crl_dir + "\": " + openssl_reason());
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

// A certificate file that is not there means none, as with libpq: the default is often missing.
void TlsContext::identify(const config::ConnectionTarget& target) {
  if (!exists(target.ssl_cert)) return;
  if (SSL_CTX_use_certificate_chain_file(context_.get(), target.ssl_cert.c_str()) != 1) {
    throw SettingsError("sslcert: can't read \"" + target.ssl_cert + "\": " + openssl_reason());
  }
  if (target.ssl_key.empty()) {
    throw SettingsError("sslkey: certificate \"" + target.ssl_cert + "\" is given, but no key");
  }
  check_key_file(target.ssl_key);
  std::string password = target.ssl_password;
  SSL_CTX_set_default_passwd_cb(context_.get(), give_key_password);
  SSL_CTX_set_default_passwd_cb_userdata(context_.get(), &password);
  const int read =
      SSL_CTX_use_PrivateKey_file(context_.get(), target.ssl_key.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(context_.get(), nullptr);
  SSL_CTX_set_default_passwd_cb(context_.get(), nullptr);
  OPENSSL_cleanse(password.data(), password.size());
  if (read != 1) {
    throw SettingsError("sslkey: can't read \"" + target.ssl_key +
                        "\" (encrypted without or with another sslpassword?): " + openssl_reason());
  }
  if (SSL_CTX_check_private_key(context_.get()) != 1) {
    throw SettingsError("sslkey: \"" + target.ssl_key + "\" does not belong to certificate \"" +
                        target.ssl_cert + "\": " + openssl_reason());
  }
}

}  // namespace pgcourier::replication
