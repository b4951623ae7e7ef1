// A self-signed certificate and its key, for servers of tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace pgcourier::replication::test {

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct Certificate {
  std::unique_ptr<EVP_PKEY, FreeOpenssl> key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  std::unique_ptr<X509, FreeOpenssl> certificate{X509_new()};

  Certificate() {
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }
};

}  // namespace pgcourier::replication::test
