{{/* pgcourier.yaml: `config` and what follows from the rest of the values. */}}
{{- define "pgcourier.settings" -}}
{{- include "pgcourier.refuseInlineSecrets" . -}}
{{- include "pgcourier.refuseLostFiles" . -}}
{{- $config := deepCopy .Values.config -}}
{{- if not $config.name -}}
{{- $_ := set $config "name" (include "pgcourier.fullname" .) -}}
{{- end -}}
{{- if .Values.sourcePassword.existingSecret -}}
{{- $_ := set $config.source "password_file" "/run/secrets/source/password" -}}
{{- end -}}
{{- $_ := set $config "state_dir" "/var/lib/pgcourier" -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A ConfigMap is no place for a password. The messages don't show it. */}}
{{- define "pgcourier.refuseInlineSecrets" -}}
{{- $url := .Values.config.source.url -}}
{{- if or (regexMatch "^postgres(ql)?://[^/@:]*:([^/@$]|\\$[^{])[^/@]*@" $url) (regexMatch "(?i)password\\s*=\\s*('?[^$'\\s&]|'?\\$[^{])" $url) -}}
{{- fail "config.source.url holds a password: put it into a Secret and name that in sourcePassword.existingSecret" -}}
{{- end -}}
{{- range $sink := .Values.config.sinks -}}
{{- if hasKey $sink "kafka" -}}
{{- range $name, $value := (default dict $sink.kafka.properties) -}}
{{- if and (regexMatch "(password|secret|sasl\\.jaas\\.config|\\.pem$)" $name) (not (regexMatch "^\\$\\{" (toString $value))) -}}
{{- if not (regexMatch "^ssl\\.(certificate|ca)\\.pem$" $name) -}}
{{- fail (printf "the Kafka property %s is a secret: put it into a Secret, name that in `secrets`, and refer to it with ${file:/run/secrets/NAME/KEY}" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Files that go with the pod would be a loss without a word: the slot is confirmed past them. */}}
{{- define "pgcourier.refuseLostFiles" -}}
{{- $folders := list -}}
{{- if .Values.persistence.enabled -}}
{{- $folders = append $folders .Values.persistence.mountPath -}}
{{- end -}}
{{- range .Values.extraVolumeMounts -}}
{{- $folders = append $folders .mountPath -}}
{{- end -}}
{{- range $sink := .Values.config.sinks -}}
{{- if hasKey $sink "files" -}}
{{- $directory := printf "%s/" (trimSuffix "/" $sink.files.directory) -}}
{{- $kept := false -}}
{{- range $folder := $folders -}}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" $folder)) $directory -}}
{{- $kept = true -}}
{{- end -}}
{{- end -}}
{{- if not $kept -}}
{{- fail (printf "the files sink's directory %s would be lost with the pod: set persistence.enabled=true and a directory below persistence.mountPath, or mount a volume there with extraVolumes and extraVolumeMounts" $sink.files.directory) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
