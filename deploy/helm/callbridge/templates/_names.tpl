{{- define "callbridge.fullname" -}}
{{- if contains "callbridge" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-callbridge" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "callbridge.selector" -}}
app.kubernetes.io/name: callbridge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "callbridge.labels" -}}
{{ include "callbridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "callbridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "callbridge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "callbridge.configMap" -}}
{{- default (include "callbridge.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{- define "callbridge.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "callbridge.scheme" -}}
{{- ternary "https" "http" .Values.web.tls -}}
{{- end -}}

{{- /* What every container of the pod may do, and where it finds its files. */ -}}
{{- define "callbridge.container" -}}
image: {{ include "callbridge.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  # Each by itself into the image's own folder: none lies within another.
  - {name: config, mountPath: /etc/callbridge/callbridge.yaml, subPath: callbridge.yaml, readOnly: true}
  - {name: config, mountPath: /etc/callbridge/templates, readOnly: true}
  - {name: secrets, mountPath: /etc/callbridge/secrets, readOnly: true}
  {{- if .Values.web.existingSecret }}
  - {name: web, mountPath: /etc/callbridge/web, readOnly: true}
  {{- end }}
  - {name: data, mountPath: /var/lib/callbridge}
{{- end -}}
