{{- /* What values.schema.json cannot say: what does not fit together. Each failure says what would be right. */ -}}
{{- define "callbridge.checks" -}}
{{- if and (not .Values.config) (not .Values.existingConfigMap) -}}
{{- fail "config is empty: write callbridge.yaml there as text (values.yaml shows one), or name existingConfigMap" -}}
{{- end -}}
{{- if and .Values.config .Values.existingConfigMap -}}
{{- fail "config and existingConfigMap are both set: leave one of them out" -}}
{{- end -}}
{{- if and .Values.templates .Values.existingConfigMap -}}
{{- fail "templates would be ignored beside existingConfigMap: put them into that ConfigMap, beside callbridge.yaml" -}}
{{- end -}}
{{- if not .Values.existingSecret -}}
{{- fail "existingSecret is empty: name a Secret with the key api_key at least; its keys are the files in secrets/" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (ne .Values.database.kind "postgresql") -}}
{{- fail (printf "replicas: %d needs database.kind: postgresql, for an SQLite file belongs to one process; set replicas: 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if and (not .Values.web.existingSecret) (not .Values.web.allowUnauthenticated) -}}
{{- fail "web.existingSecret is empty: name a Secret with the key web.yaml (passwords for page, API and metrics), or set web.allowUnauthenticated: true where a NetworkPolicy or a proxy keeps strangers out" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is empty: write the public name that the gateway reports to" -}}
{{- end -}}
{{- if .Values.config -}}
{{- include "callbridge.checks.storage" . -}}
{{- end -}}
{{- end -}}

{{- define "callbridge.checks.storage" -}}
{{- $read := fromYaml .Values.config -}}
{{- if hasKey $read "Error" -}}
{{- fail (printf "config is no YAML: %s" $read.Error) -}}
{{- end -}}
{{- $storage := default (dict) $read.storage -}}
{{- $url := default "" $storage.url -}}
{{- if and (eq .Values.database.kind "postgresql") (not $storage.url_file) (not (hasPrefix "postgres" $url)) -}}
{{- fail "database.kind is postgresql, but config has neither storage.url: postgresql://… nor storage.url_file: write one of them" -}}
{{- end -}}
{{- if and (eq .Values.database.kind "sqlite") (or $storage.url_file (hasPrefix "postgres" $url)) -}}
{{- fail "config has storage of PostgreSQL: set database.kind: postgresql" -}}
{{- end -}}
{{- if and (eq .Values.database.kind "sqlite") (not (hasPrefix "sqlite:////var/lib/callbridge/" $url)) -}}
{{- fail "config must keep its database in the volume: storage: {url: sqlite:////var/lib/callbridge/callbridge.db}" -}}
{{- end -}}
{{- end -}}
