// What encryption to ask for before the StartupMessage, and what the answers mean: SSLRequest,
// §55.2.10, and GSSENCRequest, §55.2.11.
#pragma once

namespace pgcourier::protocol {

// GSSAPI encryption comes before TLS, and instead of it. Insisting on one is asking for it.
struct EncryptionWishes {
  bool ask_for_gss = false;
  bool insist_on_gss = false;  // an 'N' to GSSENCRequest is GssEncryptionRefused
  bool ask_for_tls = true;
  bool insist_on_tls = false;  // an 'N' to SSLRequest is AuthenticationError
  bool direct_tls = false;     // without SSLRequest: TLS from the first byte on, PostgreSQL 17
};

class EncryptionNegotiation {
 public:
  enum class Next { ask_for_gss, start_gss, ask_for_tls, start_tls, send_startup_message };

  explicit EncryptionNegotiation(const EncryptionWishes& wishes) : wishes_(wishes) {}

  Next start();
  // The server's one byte. REQUIRES: the last step was to ask. Throws ProtocolError for nonsense,
  // ServerError for 'E', AuthenticationError for a refusal we can't live with.
  Next on_answer(char answer);

 private:
  Next without_gss();
  Next on_gss_answer(char answer);

  EncryptionWishes wishes_;
  bool asked_for_gss_ = false;
};

}  // namespace pgcourier::protocol
