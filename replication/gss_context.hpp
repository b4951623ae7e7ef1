// One security context of GSSAPI (RFC 2743), as MIT Kerberos makes it.
#pragma once

#include <gssapi/gssapi.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pgcourier::replication {

// The library's reasons: no ticket, an expired one, a server that the KDC does not know, no KDC.
// Most of them heal with time: tickets are renewed, a KDC comes back.
class GssError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Memory that the library gave.
class GssBuffer {
 public:
  GssBuffer() = default;
  ~GssBuffer() { release(); }
  GssBuffer(GssBuffer&& other) noexcept;
  GssBuffer& operator=(GssBuffer&& other) noexcept;

  gss_buffer_t get() { return &buffer_; }
  std::string_view view() const {
    return {static_cast<const char*>(buffer_.value), buffer_.length};
  }

 private:
  void release();

  gss_buffer_desc buffer_ = {};
};

enum class GssPurpose { authentication, encryption };

// Used by one thread at a time. Credentials are the environment's, as libpq takes them: KRB5CCNAME,
// else KRB5_CLIENT_KTNAME, else their defaults. Throws GssError.
class GssContext {
 public:
  // `server`: its principal, as service@host.
  GssContext(std::string server, GssPurpose purpose, bool delegates)
      : server_(std::move(server)), purpose_(purpose), delegates_(delegates) {}
  ~GssContext();
  GssContext(const GssContext&) = delete;
  GssContext& operator=(const GssContext&) = delete;

  // Whether there is a credential at all. May block.
  void acquire_credential();

  struct Step {
    std::string token;  // for the server; may be empty
    bool complete = false;
  };
  // Takes the server's token, at first an empty one. Asks the KDC, so it may block for long.
  Step step(std::string_view token);

  // REQUIRES for all: complete. None of them blocks. Confidentiality is insisted on.
  std::size_t max_plain_bytes(std::size_t max_wrapped_bytes) const;
  GssBuffer wrap(std::string_view plain);
  GssBuffer unwrap(std::string_view wrapped);

 private:
  OM_uint32 flags() const;
  void import_name();

  std::string server_;
  GssPurpose purpose_;
  bool delegates_;
  gss_cred_id_t credential_ = GSS_C_NO_CREDENTIAL;
  gss_name_t name_ = GSS_C_NO_NAME;
  gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
};

}  // namespace pgcourier::replication
